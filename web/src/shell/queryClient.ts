/** One cache of answers; a refusal for want of a session leads to the sign-in page. */
import { QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiProblem } from '@/api/problem';
import { sessionQuery } from '@/api/queries';

let onSignedOut: () => void = () => undefined;

export function whenSignedOut(act: () => void): void {
  onSignedOut = act;
}

const final = (error: Error) => error instanceof ApiProblem && error.status >= 400 && error.status < 500;

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (error instanceof ApiProblem && error.status === 401) signedOut();
    },
  }),
  defaultOptions: {
    queries: { refetchOnWindowFocus: false, retry: (count, error) => !final(error) && count < 2 },
  },
});

/** Forgets who was signed in, and all that only they may see. */
export function signedOut(): void {
  queryClient.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
  queryClient.setQueryData(sessionQuery.queryKey, null);
  onSignedOut();
}
