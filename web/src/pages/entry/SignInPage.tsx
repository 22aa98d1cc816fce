/** Signing in. */
import { Button, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { askJson } from '@/api/client';
import { Trouble } from '@/parts/Trouble';
import { useWords } from '@/words/words';
import { EntryFrame } from './EntryFrame';
import classes from './EntryFrame.module.css';
import { PasswordField } from './PasswordField';
import { useEntering } from './useEntering';

const route = getRouteApi('/sign-in');

export function SignInPage() {
  const { t } = useWords();
  const { next } = route.useSearch();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const entering = useEntering('/session', next ?? '/flow');
  const first = useQuery({
    queryKey: ['session', 'first-start'],
    queryFn: ({ signal }) => askJson<{ open: boolean }>('/first-start', { signal }),
    retry: false,
  });

  if (first.data?.open) {
    return (
      <EntryFrame title={t('firstStart.needed')} lead={t('firstStart.neededLead')}>
        <p>{t('firstStart.where')}</p>
      </EntryFrame>
    );
  }

  return (
    <EntryFrame title={t('signIn.title')} lead={t('signIn.lead')}>
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          entering.mutate({ user, password });
        }}
      >
        <TextInput label={t('entry.user')} value={user} onChange={(event) => setUser(event.currentTarget.value)} autoComplete="username" autoCapitalize="none" spellCheck={false} withAsterisk={false} required autoFocus />
        <PasswordField value={password} change={setPassword} autoComplete="current-password" />
        {entering.error && <Trouble error={entering.error} />}
        <Button type="submit" h={44} disabled={entering.isPending}>
          {t(entering.isPending ? 'signIn.underWay' : 'signIn.act')}
        </Button>
      </form>
    </EntryFrame>
  );
}
