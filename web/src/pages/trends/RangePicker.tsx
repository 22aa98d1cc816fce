/** The range of the trend: moving with the clock or fixed, one step back and forth, typed in. */
import { Button, Popover } from '@mantine/core';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useNow } from '@/live/useNow';
import { Icon } from '@/parts/Icon';
import { IconButton } from '@/parts/IconButton';
import { clockText, serverNow } from '@/reading/clock';
import { pan, spanMs, type Span, type View } from '@/trace/range';
import { zonedInstant, zonedText } from '@/trace/zone';
import { useWords, type Key } from '@/words/words';
import type { TrendsAddress } from './address';
import { endGesture } from './gesture';
import classes from './RangePicker.module.css';
import { fixedSearch, fixedView, movingSearch, USUAL_SPAN } from './useView';

const SPANS: readonly Span[] = ['15m', '1h', '8h', '1d', '7d', '30d'];

export function RangePicker() {
  const { t } = useWords();
  const address = useSearch({ from: '/shell/trends' });
  const navigate = useNavigate({ from: '/trends' });
  const fixed = fixedView(address);
  const span = address.range ?? USUAL_SPAN;
  const current = (): View => fixed ?? { from: serverNow() - spanMs(span), to: serverNow() };
  const go = (search: (before: TrendsAddress) => TrendsAddress) => {
    endGesture();
    void navigate({ search });
  };
  const fix = (view: View) => go((before) => fixedSearch(before, view));
  const move = (to: Span) => go((before) => movingSearch(before, to));

  return (
    <div className={classes.picker} role="group" aria-label={t('range.title')}>
      <IconButton icon="back" name={t('range.earlier')} onClick={() => fix(pan(current(), -0.5, serverNow()))} />
      <div className={classes.spans}>
        {SPANS.map((each) => (
          <button key={each} type="button" aria-pressed={!fixed && each === span} onClick={() => move(each)}>
            {t(`span.${each}` as Key)}
          </button>
        ))}
      </div>
      <select className={classes.select} aria-label={t('range.title')} value={fixed ? '' : span} onChange={(event) => move(event.currentTarget.value as Span)}>
        {fixed && <option value="">{t('range.fixed')}</option>}
        {SPANS.map((each) => (
          <option key={each} value={each}>
            {t(`span.${each}` as Key)}
          </option>
        ))}
      </select>
      <FixedRange key={address.from ?? 'moving'} fixed={fixed} current={current} fix={fix} />
      <IconButton icon="open" name={t('range.later')} disabled={!fixed} onClick={() => fix(pan(current(), 0.5, serverNow()))} />
      <button type="button" className={classes.live} aria-pressed={!fixed} onClick={() => (fixed ? move(span) : fix(current()))}>
        <Icon name={fixed ? 'play' : 'pause'} size={16} />
        {t(fixed ? 'range.goLive' : 'range.pause')}
      </button>
    </div>
  );
}

function FixedRange({ fixed, current, fix }: { fixed: View | null; current: () => View; fix: (view: View) => void }) {
  const words = useWords();
  const { t, zone } = words;
  const now = useNow();
  const [opened, setOpened] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const open = () => {
    const view = current();
    setFrom(zonedText(view.from, zone).slice(0, 19));
    setTo(zonedText(view.to, zone).slice(0, 19));
    setOpened(true);
  };
  const begin = zonedInstant(from, zone);
  const end = zonedInstant(to, zone);
  const valid = begin !== null && end !== null && begin < end;
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom" trapFocus>
      <Popover.Target>
        <button type="button" className={`figures ${classes.fixed}`} data-on={fixed !== null || undefined} onClick={() => (opened ? setOpened(false) : open())} title={t('range.choose')}>
          <Icon name="clock" size={16} />
          <span>{fixed ? `${clockText(fixed.from, now, words)} – ${clockText(fixed.to, now, words)}` : t('range.choose')}</span>
        </button>
      </Popover.Target>
      <Popover.Dropdown className={classes.form} aria-label={t('range.choose')}>
        <label>
          {t('range.from')}
          <input type="datetime-local" step="1" value={from} onChange={(event) => setFrom(event.currentTarget.value)} />
        </label>
        <label>
          {t('range.to')}
          <input type="datetime-local" step="1" value={to} onChange={(event) => setTo(event.currentTarget.value)} />
        </label>
        <p className={classes.zone}>{t('range.zone', { zone })}</p>
        <Button
          disabled={!valid}
          onClick={() => {
            if (begin !== null && end !== null) fix({ from: begin, to: end });
            setOpened(false);
          }}
        >
          {t('range.show')}
        </Button>
      </Popover.Dropdown>
    </Popover>
  );
}
