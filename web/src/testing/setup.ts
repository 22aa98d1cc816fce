/** What tests need before each file. */
import { cleanup } from '@testing-library/react';
import { afterEach } from 'vitest';

// jsdom knows no media queries; nothing matches in tests.
window.matchMedia ??= (query: string) =>
  ({ matches: false, media: query, addEventListener: () => undefined, removeEventListener: () => undefined }) as unknown as MediaQueryList;

window.scrollTo = () => undefined;

afterEach(cleanup);
