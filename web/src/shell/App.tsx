/** Everything around the pages: scheme, words, queries, addresses. */
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider, useQuery } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useEffect, useMemo, useState } from 'react';
import { sessionQuery } from '@/api/queries';
import { usePreferences, useScheme, zoneOf } from '@/parts/preferences';
import { numberText } from '@/reading/number';
import { theme } from '@/theme';
import { loadCatalogue, wordsOf, WordsContext, type Catalogue, type Language } from '@/words/words';
import { queryClient } from './queryClient';
import { router } from './router';

interface Props {
  firstLanguage: Language;
  firstCatalogue: Catalogue;
}

export function App(props: Props) {
  return (
    <QueryClientProvider client={queryClient}>
      <Dressed {...props} />
    </QueryClientProvider>
  );
}

function Dressed({ firstLanguage, firstCatalogue }: Props) {
  const { language, utc } = usePreferences();
  const scheme = useScheme();
  const { data: session } = useQuery({ ...sessionQuery, enabled: false });
  const [loaded, setLoaded] = useState({ language: firstLanguage, catalogue: firstCatalogue });

  useEffect(() => {
    if (language === loaded.language) return;
    let current = true;
    void loadCatalogue(language).then((catalogue) => {
      if (current) setLoaded({ language, catalogue });
    });
    return () => {
      current = false;
    };
  }, [language, loaded.language]);

  useEffect(() => {
    document.documentElement.lang = loaded.language;
  }, [loaded.language]);

  const zone = zoneOf(utc, session?.timeZone);
  const words = useMemo(
    () => wordsOf(loaded.language, zone, loaded.catalogue, (count) => numberText(count, loaded.language)),
    [loaded, zone],
  );

  return (
    // Variables and classes come from static files, not from style elements: the content security policy stays strict.
    <MantineProvider theme={theme} forceColorScheme={scheme} withCssVariables={false} withGlobalClasses={false}>
      <WordsContext value={words}>
        <RouterProvider router={router} />
      </WordsContext>
    </MantineProvider>
  );
}
