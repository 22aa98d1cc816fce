/** Opens the person's menu; the menu itself is loaded when it is first wanted. */
import { lazy, Suspense, useState } from 'react';
import { IconButton } from '@/parts/IconButton';
import { useWords } from '@/words/words';

const load = () => import('./PersonMenu');
const PersonMenu = lazy(() => load().then((module) => ({ default: module.PersonMenu })));

export function PersonButton() {
  const { t } = useWords();
  const [wanted, setWanted] = useState(false);
  const preload = () => void load();
  const button = <IconButton icon="person" name={t('person.menu')} aria-haspopup="menu" onClick={() => setWanted(true)} onPointerEnter={preload} onFocus={preload} />;
  if (!wanted) return button;
  return (
    <Suspense fallback={button}>
      <PersonMenu />
    </Suspense>
  );
}
