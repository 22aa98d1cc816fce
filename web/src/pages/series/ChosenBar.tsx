/** What can be done with the chosen series. */
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { seriesQuery } from '@/api/queries';
import { ApiProblem } from '@/api/problem';
import { Icon } from '@/parts/Icon';
import { IconButton } from '@/parts/IconButton';
import { download, exportCsv, queryCommand } from '@/parts/exportSeries';
import { TRENDS_MAX } from '@/pages/trends/address';
import { serverNow } from '@/reading/clock';
import { useWords } from '@/words/words';
import classes from './ChosenBar.module.css';

const HOUR = 3_600_000;
const EXPORT_MAX = 50;

export function ChosenBar({ ids, clear, said }: { ids: readonly number[]; clear: () => void; said: string }) {
  const { t, n } = useWords();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [done, setDone] = useState('');
  const tooMany = ids.length > TRENDS_MAX;
  const exporting = useMutation({
    mutationFn: async () => {
      const to = serverNow();
      const series = await Promise.all(ids.map((id) => client.ensureQueryData(seriesQuery(id))));
      const csv = await exportCsv(series, to - HOUR, to);
      download(`gemba-${new Date(to).toISOString().slice(0, 19).replaceAll(':', '')}.csv`, new Blob([csv], { type: 'text/csv' }));
      return csv.split('\n').length - 2;
    },
    onSuccess: (lines) => setDone(n('chosen.exported', lines)),
    onError: (error) => setDone(error instanceof ApiProblem && !error.unreachable ? `${error.message} ${error.code}` : t('error.unreachable')),
  });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(queryCommand(window.location.origin, ids, '-1h', 'now'));
      setDone(t('chosen.copied'));
    } catch {
      setDone(t('chosen.noClipboard'));
    }
  };

  return (
    <section className={classes.bar} aria-label={said}>
      <strong className="figures">{n('chosen.count', ids.length)}</strong>
      <Button disabled={tooMany} title={tooMany ? t('chosen.tooMany', { max: TRENDS_MAX }) : undefined} onClick={() => void navigate({ to: '/trends', search: { s: ids.join(',') } })}>
        {t('chosen.trends')}
      </Button>
      <Button variant="default" className={classes.copy ?? ''} leftSection={<Icon name="copy" size={16} />} onClick={() => void copy()}>
        {t('chosen.copy')}
      </Button>
      <Button
        variant="default"
        leftSection={<Icon name="download" size={16} />}
        disabled={exporting.isPending || ids.length > EXPORT_MAX}
        title={ids.length > EXPORT_MAX ? t('chosen.exportMax', { max: EXPORT_MAX }) : undefined}
        onClick={() => exporting.mutate()}
      >
        {t(exporting.isPending ? 'chosen.exporting' : 'chosen.export')}
      </Button>
      <span className={classes.done} role="status">
        {tooMany && done === '' ? t('chosen.tooMany', { max: TRENDS_MAX }) : done}
      </span>
      <IconButton icon="close" name={t('chosen.clear')} onClick={clear} />
    </section>
  );
}
