/** Starts the page: catalogue first, so that nothing is ever shown without words. */
import './mantine.css';
import './theme.css';
import './page.css';
import { createRoot } from 'react-dom/client';
import { preferences } from './parts/preferences';
import { App } from './shell/App';
import { loadCatalogue } from './words/words';

const { language } = preferences();
const root = document.getElementById('root');
if (root) {
  const catalogue = await loadCatalogue(language);
  createRoot(root).render(<App firstLanguage={language} firstCatalogue={catalogue} />);
}
