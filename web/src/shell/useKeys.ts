/** Keys that work everywhere: Ctrl-K, and single keys where nobody is typing. */
import { useEffect } from 'react';
import { prefer, preferences } from '@/parts/preferences';
import { openPalette, paletteOpen, typeEarly } from './palette';

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export function useKeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        openPalette('all');
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (paletteOpen() && typeEarly(event.key)) {
        event.preventDefault();
        return;
      }
      if (typing(event.target) || paletteOpen() || !preferences().singleKeys) return;
      if (event.key === 'u') prefer({ utc: !preferences().utc });
      if (event.key === '/') {
        event.preventDefault();
        const field = document.querySelector<HTMLInputElement>('[data-page-search]');
        if (field) field.focus();
        else openPalette('all');
      }
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}
