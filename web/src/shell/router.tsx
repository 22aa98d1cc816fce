/** The addresses of the console. Each page is loaded when it is first needed. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { sessionQuery } from '@/api/queries';
import { readFlowAddress } from '@/pages/flow/address';
import { readSeriesAddress } from '@/pages/series/address';
import { readTrendsAddress } from '@/pages/trends/address';
import { parseSearch, textOf, writeSearch } from './address';
import { NotHere } from './NotHere';
import { PageTrouble } from './PageTrouble';
import { queryClient, whenSignedOut } from './queryClient';
import { Shell } from './Shell';

const root = createRootRoute({ notFoundComponent: NotHere, errorComponent: PageTrouble });

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search: Record<string, unknown>): { next?: string } => {
    const next = textOf(search, 'next');
    // Only a path of our own: an address from outside could lead a person away after signing in.
    return next && /^\/(?![/\\])/.test(next) ? { next } : {};
  },
  component: lazyRouteComponent(() => import('@/pages/entry/SignInPage'), 'SignInPage'),
});

const firstStart = createRoute({
  getParentRoute: () => root,
  path: '/first-start',
  component: lazyRouteComponent(() => import('@/pages/entry/FirstStartPage'), 'FirstStartPage'),
});

const errorPage = createRoute({
  getParentRoute: () => root,
  path: '/docs/errors/$code',
  component: lazyRouteComponent(() => import('@/pages/errors/ErrorPage'), 'ErrorPage'),
});

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: async ({ location }) => {
    const session = await queryClient.ensureQueryData(sessionQuery);
    if (session === null) {
      throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { next: location.href }, replace: true });
    }
  },
});

const home = createRoute({
  getParentRoute: () => shell,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/flow', replace: true });
  },
});

const flow = createRoute({
  getParentRoute: () => shell,
  path: '/flow',
  validateSearch: readFlowAddress,
  component: lazyRouteComponent(() => import('@/pages/flow/FlowPage'), 'FlowPage'),
});

const series = createRoute({
  getParentRoute: () => shell,
  path: '/series',
  validateSearch: readSeriesAddress,
  component: lazyRouteComponent(() => import('@/pages/series/SeriesPage'), 'SeriesPage'),
});

const trends = createRoute({
  getParentRoute: () => shell,
  path: '/trends',
  validateSearch: readTrendsAddress,
  component: lazyRouteComponent(() => import('@/pages/trends/TrendsPage'), 'TrendsPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([signIn, firstStart, errorPage, shell.addChildren([home, flow, series, trends])]),
  parseSearch,
  stringifySearch: writeSearch,
  defaultPreload: 'intent',
  defaultPendingMs: 400,
});

whenSignedOut(() => void router.invalidate());

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
