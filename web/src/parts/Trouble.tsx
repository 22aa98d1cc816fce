/** A refusal or silence of the server: what happened, the remedy, the code with its page. */
import { Button } from '@mantine/core';
import { ApiProblem } from '@/api/problem';
import { useWords } from '@/words/words';
import { ErrorCode } from './ErrorCode';
import { Mark } from './Mark';
import classes from './Trouble.module.css';

export function Trouble({ error, retry }: { error: Error; retry?: () => void }) {
  const { t } = useWords();
  const problem = error instanceof ApiProblem ? error : null;
  const silent = problem?.unreachable ?? false;
  return (
    <div className={classes.trouble} role="alert">
      <Mark kind="grave" size={18} />
      <div className={classes.text}>
        <strong>{silent ? t('error.unreachable') : problem?.title || t('error.unexpected')}</strong>
        <span>{silent ? t('error.unreachableRemedy') : error.message}</span>
        {problem && problem.code !== '' && <ErrorCode code={problem.code} />}
      </div>
      {retry && (
        <Button variant="default" onClick={retry}>
          {t('error.retry')}
        </Button>
      )}
    </div>
  );
}
