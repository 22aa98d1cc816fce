/** The code of an error, leading to its page. */
import { useWords } from '@/words/words';

export function ErrorCode({ code }: { code: string }) {
  const { t } = useWords();
  if (code === '') return null;
  return (
    <a className="code" href={`/docs/errors/${encodeURIComponent(code)}`} target="_blank" rel="noreferrer" title={t('error.page')}>
      {code}
    </a>
  );
}
