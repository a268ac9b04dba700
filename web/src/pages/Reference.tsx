import { Button, PasswordInput, Textarea, TextInput, UnstyledButton } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconSearch } from '@tabler/icons-react';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, tryIt, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Page, Problem, RowsSkeleton } from '@/components/basics';
import { CodeTabs } from '@/components/CodeTabs';
import { matches, readContract, targetOf, type Operation } from '@/features/reference/contract';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/reference');
const colours: Record<string, string> = { GET: 'blue', POST: 'green', PUT: 'amber', PATCH: 'amber', DELETE: 'red' };

function Method({ method }: { method: string }) {
    return <span className="method" style={{ ['--st' as string]: `var(--st-${colours[method] ?? 'slate'})` }}>{method}</span>;
}

function One({ operation }: { operation: Operation }) {
    const t = useT();
    const [values, setValues] = useState<Record<string, string>>({});
    const [body, setBody] = useState(operation.example === undefined ? '' : JSON.stringify(operation.example, null, 2));
    const [bearer, setBearer] = useState('');
    const target = targetOf(operation, values);
    const run = useMutation({ mutationFn: (to: string) => tryIt(operation.method, to, operation.hasBody ? body : undefined, bearer) });
    const asked = operation.parameters.filter((parameter) => parameter.in !== 'header');
    let example: unknown;
    try {
        example = operation.hasBody && body !== '' ? JSON.parse(body) as unknown : undefined;
    } catch {
        example = undefined; /* while it is being written */
    }
    return (
        <article className="stack" style={{ gap: 20 }}>
            <div>
                <h2 style={{ margin: 0 }}>{operation.summary}</h2>
                <div className="line" style={{ marginTop: 6 }}><Method method={operation.method} /><span className="mono" style={{ overflowWrap: 'anywhere' }}>{operation.path}</span></div>
                {operation.scope !== null && <div className="quiet" style={{ fontSize: 13, marginTop: 6 }}>{t('reference.scope')} <span className="mono">{operation.scope}</span></div>}
                <p style={{ whiteSpace: 'pre-line', maxWidth: '72ch', margin: '12px 0 0' }}>{operation.description}</p>
            </div>
            <CodeTabs key={operation.id} method={operation.method} path={target ?? operation.path} body={example} bearer={bearer === '' ? 'YOUR_API_KEY' : bearer} />
            <form className="card card-pad stack" onSubmit={(event) => { event.preventDefault(); if (target !== null) run.mutate(target); }}>
                <h3 style={{ margin: 0 }}>{t('reference.try')}</h3>
                <PasswordInput label={t('reference.key')} description={t('reference.key.help')} value={bearer} onChange={(event) => { setBearer(event.currentTarget.value.trim()); }} autoComplete="off" visibilityToggleButtonProps={{ 'aria-label': t('connect.show') }} />
                {asked.map((parameter) => <TextInput key={parameter.name} label={<><span className="mono">{parameter.name}</span>{parameter.required || parameter.in === 'path' ? ` · ${t('reference.required')}` : ''}</>} description={parameter.description} value={values[parameter.name] ?? ''} onChange={(event) => { setValues({ ...values, [parameter.name]: event.currentTarget.value }); }} />)}
                {operation.hasBody && <Textarea label={t('reference.body')} autosize minRows={4} maxRows={18} value={body} onChange={(event) => { setBody(event.currentTarget.value); }} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12.5 } }} spellCheck={false} />}
                <div><Button type="submit" disabled={target === null} loading={run.isPending}>{t('reference.send')}</Button></div>
                {run.isError && <Problem error={run.error} />}
                {run.data !== undefined && <div role="status"><div className="number" style={{ marginBottom: 6 }}><strong>HTTP {run.data.status}</strong> <span className="quiet">{run.data.ms} ms</span></div><pre className="pre" tabIndex={0} style={{ maxHeight: 420 }}>{run.data.text}</pre></div>}
            </form>
            <section><h3>{t('reference.answers')}</h3><dl className="facts">{operation.answers.map((answer) => <div key={answer.status} style={{ display: 'contents' }}><dt className="mono">{answer.status}</dt><dd>{answer.description}</dd></div>)}</dl></section>
        </article>
    );
}

export default function Reference() {
    const t = useT();
    const { operation: chosen } = route.useSearch();
    const [query, setQuery] = useState('');
    const contract = useQuery({ queryKey: keys.contract, queryFn: async () => readContract(await unwrap(api.GET('/v1/openapi.json'))), staleTime: 300_000 });
    const all = contract.data ?? [];
    const found = all.filter((operation) => matches(operation, query));
    const shown = all.find((operation) => operation.id === chosen) ?? all[0];
    const tags = [...new Set(found.map((operation) => operation.tag))];
    return (
        <Page title={t('nav.reference')} purpose={t('reference.purpose')}>
            {contract.isPending ? <RowsSkeleton count={10} /> : contract.isError ? <Problem error={contract.error} retry={() => { void contract.refetch(); }} /> : (
                <div className="reference">
                    <nav aria-label={t('nav.reference')}>
                        <TextInput data-search placeholder={t('reference.search')} aria-label={t('reference.search')} leftSection={<IconSearch size={15} aria-hidden />} value={query} onChange={(event) => { setQuery(event.currentTarget.value); }} rightSection={query === '' ? undefined : <UnstyledButton aria-label={t('filter.clear')} onClick={() => { setQuery(''); }}>×</UnstyledButton>} />
                        {found.length === 0 && <p className="quiet">{t('palette.nothing')}</p>}
                        {tags.map((tag) => (
                            <div key={tag}><div className="rail-heading">{tag}</div>
                                {found.filter((operation) => operation.tag === tag).map((operation) => <Link key={operation.id} to="/reference" search={{ operation: operation.id }} resetScroll={false} className="rail-link" aria-current={operation.id === shown?.id ? 'page' : undefined} title={operation.summary}><Method method={operation.method} /><span className="cut">{operation.summary}</span></Link>)}
                            </div>
                        ))}
                    </nav>
                    {shown !== undefined && <One key={shown.id} operation={shown} />}
                </div>
            )}
        </Page>
    );
}
