/** Renders a component with English words in UTC. */
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import { numberText } from '@/reading/number';
import { words as catalogue } from '@/words/en';
import { wordsOf, WordsContext } from '@/words/words';

export const english = wordsOf('en', 'UTC', catalogue, (count) => numberText(count, 'en'));

export function renderDressed(element: React.ReactElement) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, enabled: false } } });
  return render(
    <QueryClientProvider client={client}>
      <MantineProvider env="test" withCssVariables={false} withGlobalClasses={false}>
        <WordsContext value={english}>{element}</WordsContext>
      </MantineProvider>
    </QueryClientProvider>,
  );
}
