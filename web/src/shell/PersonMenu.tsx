/** Who is signed in; scheme, language, zone, keys; signing out. */
import { Menu } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { askJson } from '@/api/client';
import { sessionQuery } from '@/api/queries';
import { useFlow } from '@/live/useLive';
import { Icon, type IconName } from '@/parts/Icon';
import { IconButton } from '@/parts/IconButton';
import { prefer, usePreferences, type Scheme } from '@/parts/preferences';
import { useWords, type Key, type Language } from '@/words/words';
import classes from './PersonMenu.module.css';
import { signedOut } from './queryClient';

const SCHEMES: readonly Scheme[] = ['auto', 'light', 'dark'];
const LANGUAGE_NAMES: Record<Language, string> = { en: 'English', de: 'Deutsch' };

export async function signOut(): Promise<void> {
  try {
    await askJson<void>('/session', { method: 'DELETE' });
  } finally {
    signedOut();
  }
}

export function PersonMenu() {
  const { t } = useWords();
  const { scheme, language, utc, singleKeys } = usePreferences();
  const { flow } = useFlow();
  const { data: session } = useQuery({ ...sessionQuery, enabled: false });
  return (
    <Menu position="bottom-end" width={260} defaultOpened>
      <Menu.Target>
        <IconButton icon="person" name={t('person.menu')} />
      </Menu.Target>
      <Menu.Dropdown className={classes.menu}>
        <Menu.Label>
          <strong>{session?.user}</strong> · {session ? t(`role.${session.role}` as Key) : ''}
        </Menu.Label>
        <Menu.Label>{t('person.scheme')}</Menu.Label>
        {SCHEMES.map((each) => (
          <Choice key={each} on={scheme === each} choose={() => prefer({ scheme: each })} text={t(`scheme.${each}` as Key)} />
        ))}
        <Menu.Label>{t('person.language')}</Menu.Label>
        {(Object.keys(LANGUAGE_NAMES) as Language[]).map((each) => (
          <Choice key={each} on={language === each} choose={() => prefer({ language: each })} text={LANGUAGE_NAMES[each]} />
        ))}
        <Menu.Label>{t('person.more')}</Menu.Label>
        <Choice on={utc} choose={() => prefer({ utc: !utc })} text={t('person.utc')} />
        <Choice on={singleKeys} choose={() => prefer({ singleKeys: !singleKeys })} text={t('person.singleKeys')} />
        <Menu.Divider />
        {flow && <Menu.Label>Gemba {flow.version}</Menu.Label>}
        <Entry icon="leave" act={() => void signOut()} text={t('person.signOut')} />
      </Menu.Dropdown>
    </Menu>
  );
}

function Choice({ on, choose, text }: { on: boolean; choose: () => void; text: string }) {
  return (
    <Menu.Item
      role="menuitemcheckbox"
      aria-checked={on}
      closeMenuOnClick={false}
      onClick={choose}
      leftSection={on ? <Icon name="check" size={16} /> : <span className={classes.noCheck} />}
    >
      {text}
    </Menu.Item>
  );
}

function Entry({ icon, act, text }: { icon: IconName; act: () => void; text: string }) {
  return (
    <Menu.Item onClick={act} leftSection={<Icon name={icon} size={16} />}>
      {text}
    </Menu.Item>
  );
}
