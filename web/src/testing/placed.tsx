/** Renders a place under a router of its own, as the shell would, with answers that are at hand. */
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createMemoryHistory, createRootRoute, createRoute, createRouter, Outlet, RouterProvider } from '@tanstack/react-router';
import { act, render } from '@testing-library/react';
import { WordsContext } from '@/words/words';
import { parseSearch, writeSearch } from '@/shell/address';
import { english } from './dressed';

interface Place<Address> {
  path: string;
  /** Other paths that show the same. */
  others?: string[];
  validateSearch: (search: Record<string, unknown>) => Address;
  page: () => React.ReactNode;
  /** Where a person comes from: `/series?q=press`. */
  address: string;
  fill: (client: QueryClient) => void;
}

export async function renderPlace<Address>({ path, others = [], validateSearch, page, address, fill }: Place<Address>) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: Infinity, refetchOnMount: false } } });
  fill(client);
  const root = createRootRoute({ component: Outlet });
  // The session is asked for before a page of the shell: a change of address takes a while to be drawn.
  const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Outlet, beforeLoad: () => new Promise<void>((done) => setTimeout(done)) });
  const places = [path, ...others].map((each) => createRoute({ getParentRoute: () => shell, path: each, validateSearch, component: page }));
  const router = createRouter({
    routeTree: root.addChildren([shell.addChildren(places)]),
    history: createMemoryHistory({ initialEntries: [address] }),
    parseSearch,
    stringifySearch: writeSearch,
  });
  await router.load();
  await act(async () =>
    render(
      <QueryClientProvider client={client}>
        <MantineProvider env="test" withCssVariables={false} withGlobalClasses={false}>
          <WordsContext value={english}>
            <RouterProvider router={router as never} />
          </WordsContext>
        </MantineProvider>
      </QueryClientProvider>,
    ),
  );
  return { router, client };
}

/** Keys in one tick, each to whatever has the focus when it comes; nothing is drawn or waited for in between. */
export async function pressAll(...keys: string[]): Promise<void> {
  await act(async () => {
    for (const key of keys) document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  });
}
