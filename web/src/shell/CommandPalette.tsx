/** Ctrl-K: finds series, places and actions; everything by keyboard. */
import { Modal } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useId, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { seriesFindQuery } from '@/api/queries';
import { Icon } from '@/parts/Icon';
import { useWords } from '@/words/words';
import classes from './CommandPalette.module.css';
import { closePalette, takeEarly, usePalette } from './palette';
import { usePaletteEntries, type PaletteEntry } from './paletteEntries';

const FOUND_MAX = 12;
const TYPING_MS = 120;

export function CommandPalette() {
  const { t } = useWords();
  const { mode } = usePalette();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const [search] = useDebouncedValue(text.trim(), TYPING_MS);
  const listId = useId();
  const found = useQuery({ ...seriesFindQuery(search, FOUND_MAX), placeholderData: keepPreviousData });
  const entries = usePaletteEntries(text.trim(), mode, found.data?.items ?? []);
  const at = Math.min(chosen, Math.max(0, entries.length - 1));

  const run = (entry: PaletteEntry | undefined) => {
    if (!entry) return;
    if (!entry.stays) closePalette();
    entry.act();
  };

  // Enter before the first answer means its first line: the text for which it was pressed.
  const hasty = useRef<string | null>(null);
  const looking = search !== text.trim() || found.isFetching;
  useEffect(() => {
    if (hasty.current !== text.trim() || (looking && entries.length === 0)) return;
    hasty.current = null;
    run(entries[0]);
  });

  // The focus at once, not when the dialog has settled: whoever types on must not lose a letter.
  const begin = useCallback((field: HTMLInputElement | null) => {
    if (!field) return;
    field.focus();
    const early = takeEarly();
    if (early.entered) hasty.current = early.text.trim();
    if (early.text !== '') setText(early.text);
  }, []);

  const onKey = (event: React.KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0 && entries.length > 0) {
      event.preventDefault();
      const next = (at + step + entries.length) % entries.length;
      flushSync(() => setChosen(next));
      document.getElementById(`${listId}-${next}`)?.scrollIntoView({ block: 'nearest' });
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (entries.length === 0) hasty.current = looking ? text.trim() : null;
      else run(entries[at]);
    }
  };

  return (
    // Locking the scroll would write a style element, which the content security policy forbids.
    <Modal.Root opened onClose={closePalette} padding={0} size={620} yOffset="10dvh" transitionProps={{ duration: 0 }} lockScroll={false}>
      <Modal.Overlay />
      <Modal.Content aria-label={t('palette.title')}>
      <div className={classes.palette}>
        <label className={classes.field}>
          <Icon name="search" />
          <input
            ref={begin}
            data-autofocus
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value);
              setChosen(0);
              hasty.current = null;
            }}
            onKeyDown={onKey}
            placeholder={t(mode === 'add' ? 'palette.addHint' : 'palette.hint')}
            aria-label={t('palette.title')}
            role="combobox"
            aria-expanded="true"
            aria-controls={listId}
            aria-activedescendant={entries.length > 0 ? `${listId}-${at}` : undefined}
            autoComplete="off"
            spellCheck={false}
          />
        </label>
        <div id={listId} role="listbox" aria-label={t('palette.results')} className={classes.list}>
          {entries.map((entry, index) => (
            <Row key={entry.key} id={`${listId}-${index}`} entry={entry} on={index === at} heading={entries[index - 1]?.group !== entry.group} act={() => run(entry)} />
          ))}
        </div>
        {entries.length === 0 && <p className={classes.none}>{looking ? t('palette.looking') : t('palette.none', { text })}</p>}
      </div>
      </Modal.Content>
    </Modal.Root>
  );
}

function Row({ id, entry, on, heading, act }: { id: string; entry: PaletteEntry; on: boolean; heading: boolean; act: () => void }) {
  return (
    <>
      {heading && (
        <div className={classes.heading} role="presentation">
          {entry.groupText}
        </div>
      )}
      <div id={id} role="option" aria-selected={on} className={classes.row} onClick={act} onMouseDown={(event) => event.preventDefault()}>
        <Icon name={entry.icon} size={18} />
        <span className={classes.text}>{entry.text}</span>
        <span className={classes.detail}>{entry.detail}</span>
      </div>
    </>
  );
}
