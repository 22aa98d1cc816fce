/** Sends a name and password, remembers the session that comes back, and goes on. */
import { useMutation } from '@tanstack/react-query';
import { useRouter } from '@tanstack/react-router';
import { askJson, rememberCsrfToken } from '@/api/client';
import { sessionQuery } from '@/api/queries';
import type { Session } from '@/api/types';
import { queryClient } from '@/shell/queryClient';

export interface Credentials {
  user: string;
  password: string;
  /** The one-time token of a first start. */
  token?: string;
}

export function useEntering(path: '/session' | '/first-start', next: string) {
  const router = useRouter();
  return useMutation({
    mutationFn: (credentials: Credentials) => askJson<Session>(path, { method: 'POST', body: credentials }),
    onSuccess: (session) => {
      rememberCsrfToken(session.csrfToken ?? '');
      queryClient.setQueryData(sessionQuery.queryKey, session);
      router.history.replace(next);
    },
  });
}
