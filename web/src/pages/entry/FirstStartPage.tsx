/** The first start: whoever holds the one-time link becomes the administrator. */
import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Trouble } from '@/parts/Trouble';
import { useWords } from '@/words/words';
import { EntryFrame } from './EntryFrame';
import classes from './EntryFrame.module.css';
import { PasswordField } from './PasswordField';
import { useEntering } from './useEntering';

/** The server refuses shorter ones. */
const PASSWORD_MIN = 12;

/** The token stands behind the `#`, so that no server or proxy ever logs it. */
function tokenOf(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('token') ?? '';
}

export function FirstStartPage() {
  const { t } = useWords();
  const [token] = useState(() => tokenOf(window.location.hash));
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const entering = useEntering('/first-start', '/flow');
  const short = password !== '' && password.length < PASSWORD_MIN;

  if (token === '') {
    return (
      <EntryFrame title={t('firstStart.noToken')} lead={t('firstStart.noTokenLead')}>
        <p>{t('firstStart.where')}</p>
      </EntryFrame>
    );
  }

  return (
    <EntryFrame title={t('firstStart.title')} lead={t('firstStart.lead')}>
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (password.length >= PASSWORD_MIN) entering.mutate({ token, user, password });
        }}
      >
        <TextInput label={t('entry.user')} value={user} onChange={(event) => setUser(event.currentTarget.value)} autoComplete="username" autoCapitalize="none" spellCheck={false} withAsterisk={false} required autoFocus />
        <PasswordField
          value={password}
          change={setPassword}
          autoComplete="new-password"
          description={t('firstStart.passwordRule', { min: PASSWORD_MIN })}
          error={short ? t('firstStart.short', { missing: PASSWORD_MIN - password.length }) : undefined}
        />
        {entering.error && <Trouble error={entering.error} />}
        <Button type="submit" h={44} disabled={entering.isPending || short}>
          {t(entering.isPending ? 'firstStart.underWay' : 'firstStart.act')}
        </Button>
      </form>
    </EntryFrame>
  );
}
