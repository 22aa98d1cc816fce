/** The page cannot be shown: the server is silent, or the page itself failed. */
import { useRouter } from '@tanstack/react-router';
import { sessionQuery } from '@/api/queries';
import { Trouble } from '@/parts/Trouble';
import classes from './PageTrouble.module.css';
import { queryClient } from './queryClient';

export function PageTrouble({ error, reset }: { error: unknown; reset: () => void }) {
  const router = useRouter();
  const retry = () => {
    void queryClient.resetQueries({ queryKey: sessionQuery.queryKey });
    void router.invalidate().then(reset);
  };
  return (
    <div className={classes.place}>
      <Trouble error={error instanceof Error ? error : new Error(String(error))} retry={retry} />
    </div>
  );
}
