/** The calm frame of the pages before anybody is signed in. */
import { useEffect } from 'react';
import { prefer, usePreferences } from '@/parts/preferences';
import { useWords } from '@/words/words';
import classes from './EntryFrame.module.css';

export function EntryFrame({ title, lead, children }: { title: string; lead: string; children: React.ReactNode }) {
  const { t } = useWords();
  const { language } = usePreferences();
  useEffect(() => {
    document.title = `${title} · Gemba`;
  }, [title]);
  return (
    <main className={classes.frame}>
      <section className={classes.card}>
        <p className={classes.name}>Gemba</p>
        <h1>{title}</h1>
        <p className={classes.lead}>{lead}</p>
        {children}
      </section>
      <button type="button" className={classes.language} onClick={() => prefer({ language: language === 'en' ? 'de' : 'en' })} lang={language === 'en' ? 'de' : 'en'}>
        {t('entry.otherLanguage')}
      </button>
    </main>
  );
}
