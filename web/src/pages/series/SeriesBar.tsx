/** Search, grouping and columns above the table. */
import { useEffect, useState } from 'react';
import { Icon } from '@/parts/Icon';
import { IconButton } from '@/parts/IconButton';
import { numberText } from '@/reading/number';
import { useWords } from '@/words/words';
import type { SeriesAddress } from './address';
import { ColumnChooser } from './ColumnChooser';
import classes from './SeriesBar.module.css';
import type { SeriesRows } from './useSeriesRows';

const TYPING_MS = 180;

interface Props {
  address: SeriesAddress;
  change: (part: { [Name in keyof SeriesAddress]?: SeriesAddress[Name] | undefined }) => void;
  found: SeriesRows;
}

export function SeriesBar({ address, change, found }: Props) {
  const { t, n, language } = useWords();
  const byServer = address.by === 'server';
  const count = found.pending ? '' : byServer ? n('series.servers', found.servers) : n('series.count', found.count, found.more ? { count: `${numberText(found.count, language)}+` } : undefined);
  return (
    <div className={classes.bar}>
      <SearchField text={address.q ?? ''} change={(q) => change({ q: q || undefined, open: undefined })} />
      <button type="button" className={classes.toggle} aria-pressed={byServer} onClick={() => change({ by: byServer ? undefined : 'server' })}>
        <Icon name="server" size={18} />
        {t('series.byServer')}
      </button>
      <ColumnChooser address={address} change={change} />
      <span className={`figures ${classes.count}`} role="status">
        {count}
      </span>
    </div>
  );
}

function SearchField({ text, change }: { text: string; change: (text: string) => void }) {
  const { t } = useWords();
  const [typed, setTyped] = useState(text);
  const [shown, setShown] = useState(text);

  // Back and forward change the address behind the field.
  if (text !== shown) {
    setShown(text);
    if (text !== typed.trim()) setTyped(text);
  }

  useEffect(() => {
    const wish = typed.trim();
    if (wish === text) return;
    const timer = setTimeout(() => change(wish), TYPING_MS);
    return () => clearTimeout(timer);
    // `change` is made anew with each render; the text is what counts.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [typed, text]);

  return (
    <label className={classes.search}>
      <Icon name="search" size={18} />
      <span className="only-read">{t('series.search')}</span>
      <input
        type="search"
        data-page-search
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') setTyped('');
        }}
        placeholder={t('series.searchHint')}
        autoComplete="off"
        spellCheck={false}
      />
      {typed !== '' && <IconButton icon="close" name={t('series.clearSearch')} onClick={() => setTyped('')} />}
    </label>
  );
}
