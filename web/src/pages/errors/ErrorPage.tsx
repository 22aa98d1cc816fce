/** What an error code means and what to do: the page of docs/errors, without leaving the plant's network. */
import { getRouteApi, Link } from '@tanstack/react-router';
import { Fragment, useEffect } from 'react';
import { Teach } from '@/parts/Teach';
import { useWords } from '@/words/words';
import classes from './ErrorPage.module.css';
import { blocksOf, type Block, type Inline } from './markdown';
import { errorPage } from './pages';

const route = getRouteApi('/docs/errors/$code');

export function ErrorPage() {
  const { t } = useWords();
  const code = route.useParams().code.replace(/\.md$/, '');
  const text = errorPage(code);
  useEffect(() => {
    document.title = `${code} · Gemba`;
  }, [code]);
  return (
    <main className={classes.page}>
      {text === null ? (
        <Teach among title={code}>
          <p>{t('errors.noPage')}</p>
        </Teach>
      ) : (
        <article className={classes.article} lang="en">
          {blocksOf(text).map((block, index) => (
            <BlockView key={index} block={block} />
          ))}
        </article>
      )}
      <Link to="/flow" className={classes.back}>
        {t('errors.back')}
      </Link>
    </main>
  );
}

function BlockView({ block }: { block: Block }) {
  switch (block.kind) {
    case 'heading': {
      const Heading = block.level === 1 ? 'h1' : 'h2';
      return (
        <Heading>
          <Line inline={block.inline} />
        </Heading>
      );
    }
    case 'paragraph':
      return (
        <p>
          <Line inline={block.inline} />
        </p>
      );
    case 'code':
      return <pre className={classes.code}>{block.text}</pre>;
    case 'list': {
      const List = block.ordered ? 'ol' : 'ul';
      return (
        <List>
          {block.items.map((item, index) => (
            <li key={index}>
              <Line inline={item} />
            </li>
          ))}
        </List>
      );
    }
  }
}

function Line({ inline }: { inline: Inline[] }) {
  return inline.map((part, index) => <Fragment key={index}>{shown(part)}</Fragment>);
}

function shown(part: Inline): React.ReactNode {
  switch (part.kind) {
    case 'code':
      return <code className="code">{part.text}</code>;
    case 'strong':
      return <strong>{part.text}</strong>;
    case 'link': {
      const code = /(GMB-[A-Z]+-\d+)(?:\.md)?$/.exec(part.to)?.[1];
      return code ? <Link to="/docs/errors/$code" params={{ code }}>{part.text}</Link> : part.text;
    }
    case 'text':
      return part.text;
  }
}
