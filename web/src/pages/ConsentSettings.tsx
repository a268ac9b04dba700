import { Button, SegmentedControl, Select, Switch, TagsInput, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError, faultsByField } from '@/api/problem';
import type { ConsentSettings as Settings } from '@/api/types';
import { useMay } from '@/app/session';
import { Problem, RowsSkeleton, When } from '@/components/basics';
import { say } from '@/components/undo';
import { consentSettings } from '@/features/consent/queries';
import { matching, tagged, type Tagged } from '@/features/team/queries';
import { useT } from '@/i18n/i18n';

const paths = ['manual', 'import', 'inbound', 'api'] as const;
const kinds = ['stop', 'start', 'help'] as const;
type Body = Omit<Settings, 'updated_at'>;
type Read = Tagged<Settings>;

/** The first fault of a keyword's words, whichever of them it is. */
function wordsFault(faults: Record<string, string>, kind: string): string | undefined {
    return Object.entries(faults).find(([pointer]) => pointer.startsWith(`/keywords/${kind}/words`))?.[1];
}

/** Begun from `begun`; when that is not what there is any more, it says so before anything is lost. */
function Form({ begun, latest, onLoad }: { begun: Read; latest: Read; onLoad: (read: Read) => void }) {
    const t = useT();
    const client = useQueryClient();
    const isMine = useMay()('settings:manage');
    const { updated_at: updatedAt, ...before } = begun.value;
    const [body, setBody] = useState<Body>(before);
    const put = useMutation({
        mutationFn: () => tagged(api.PUT('/v1/settings/consent', { params: { header: matching(begun.tag) }, body })),
        onSuccess: (saved) => { client.setQueryData(keys.consentSettings, saved); onLoad(saved); say(t('settings.saved')); },
    });
    const faults = faultsByField(put.error);
    const setKeyword = (kind: typeof kinds[number], change: Partial<Body['keywords']['stop']>) => { setBody({ ...body, keywords: { ...body.keywords, [kind]: { ...body.keywords[kind], ...change } } }); };
    const isChanged = JSON.stringify(body) !== JSON.stringify(before);
    const isStale = latest.tag !== begun.tag && !put.isPending || (put.error instanceof ApiError && put.error.status === 412);
    useEffect(() => { if (latest.tag !== begun.tag && !isChanged) onLoad(latest); }, [latest, begun, isChanged, onLoad]);
    const load = async () => { onLoad(await client.query({ ...consentSettings, staleTime: 0 })); };
    return (
        <form className="form" onSubmit={(event) => { event.preventDefault(); if (isChanged) put.mutate(); }}>
            {isStale ? <div className="note line" role="alert"><span className="grow">{t('consent.stale')}</span><Button variant="default" size="xs" onClick={() => { void load(); }}>{t('consent.stale.load')}</Button></div> : put.isError && <Problem error={put.error} />}
            <section className="stack">
                <div><h2 style={{ margin: 0 }}>{t('consent.keywords')}</h2><p className="quiet" style={{ margin: '4px 0 0' }}>{t('consent.keywords.text')}</p></div>
                <div>
                    <div id="scope-label" style={{ fontWeight: 500, marginBottom: 4 }}>{t('consent.stop_scope')}</div>
                    <SegmentedControl aria-labelledby="scope-label" disabled={!isMine} value={body.stop_scope} data={[{ value: 'promotional', label: t('consent.stop_scope.promotional') }, { value: 'all', label: t('consent.stop_scope.all') }]} onChange={(value) => { setBody({ ...body, stop_scope: value === 'all' ? 'all' : 'promotional' }); }} />
                    <p className="quiet" style={{ margin: '4px 0 0', fontSize: 13 }}>{t(`consent.stop_scope.${body.stop_scope}.help`)}</p>
                </div>
                {kinds.map((kind) => {
                    const keyword = body.keywords[kind];
                    const isSilent = kind === 'stop' && body.stop_scope === 'all';
                    return (
                        <fieldset key={kind} className="card card-pad stack" style={{ margin: 0, gap: 12, minWidth: 0 }}>
                            <legend className="unseen">{t(`consent.keyword.${kind}`)}</legend>
                            <h3 style={{ margin: 0 }} aria-hidden>{t(`consent.keyword.${kind}`)}</h3>
                            <TagsInput label={t('consent.keyword.words')} description={t('consent.keyword.words.help')} disabled={!isMine} value={keyword.words} maxTags={50} error={wordsFault(faults, kind)} onChange={(words) => { setKeyword(kind, { words }); }} />
                            {!isSilent && <Switch label={t('consent.keyword.answered')} disabled={!isMine} checked={keyword.is_answered} onChange={(event) => { setKeyword(kind, { is_answered: event.currentTarget.checked }); }} />}
                            {!isSilent && keyword.is_answered && <Textarea label={t('consent.keyword.answer')} description={t('consent.keyword.answer.help')} autosize minRows={2} maxLength={640} disabled={!isMine} value={keyword.text ?? ''} onChange={(event) => { setKeyword(kind, { text: event.currentTarget.value === '' ? null : event.currentTarget.value }); }} />}
                        </fieldset>
                    );
                })}
            </section>
            <section className="stack">
                <div><h2 style={{ margin: 0 }}>{t('consent.defaults')}</h2><p className="quiet" style={{ margin: '4px 0 0' }}>{t('consent.defaults.text')}</p></div>
                <div className="choices">
                    {paths.map((path) => <Select key={path} label={t(`consent.default.${path}`)} allowDeselect={false} disabled={!isMine} value={body.defaults[path]} data={(['unknown', 'granted'] as const).map((value) => ({ value, label: t(`status.${value}`) }))} onChange={(value) => { setBody({ ...body, defaults: { ...body.defaults, [path]: value === 'granted' ? 'granted' : 'unknown' } }); }} />)}
                </div>
            </section>
            <div className="line"><Button type="submit" disabled={!isMine || !isChanged} title={isMine ? undefined : t('may.not')} loading={put.isPending}>{t('save')}</Button>{updatedAt !== null && <span className="quiet" style={{ fontSize: 13 }}>{t('updated')} <When at={updatedAt} /></span>}</div>
        </form>
    );
}

/** What a STOP stops, which words are heard, what is answered, and what holds where nothing is said. */
export default function ConsentSettings() {
    const query = useQuery(consentSettings);
    const [begun, setBegun] = useState<Read | null>(null);
    useEffect(() => { if (query.data !== undefined) setBegun((now) => now ?? query.data); }, [query.data]);
    return query.isPending ? <RowsSkeleton count={8} /> : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} /> : <Form key={(begun ?? query.data).tag} begun={begun ?? query.data} latest={query.data} onLoad={setBegun} />;
}
