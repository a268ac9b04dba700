import { ActionIcon, Button, Select, TextInput } from '@mantine/core';
import { useMutation, useSuspenseQuery } from '@tanstack/react-query';
import { IconPlus, IconTrash, IconX } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { ApiError, faultsByField } from '@/api/problem';
import type { DltChain as Chain } from '@/api/types';
import { useMay } from '@/app/session';
import { Copy, Facts, Problem, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { Sheet } from '@/components/Sheet';
import { say } from '@/components/undo';
import { chainStates } from '@/features/dlt/filter';
import { dltQuery, useStale } from '@/features/dlt/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/entities/chain/$chainId');
const isId = (text: string) => /^[0-9]{1,30}$/.test(text.trim());

export default function DltChain() {
    const t = useT();
    const navigate = useNavigate();
    const { chainId } = route.useParams();
    const { entity } = route.useSearch();
    const { data } = useSuspenseQuery(dltQuery);
    const close = () => { void navigate({ to: '/dlt/entities', resetScroll: false }); };
    const found = data.chains.find((chain) => chain.id === chainId);
    if (found !== undefined)
        return <One key={found.updated_at} chain={found} onClose={close} />;
    if (chainId === 'new')
        return <New entities={data.entities.map(({ id, name }) => ({ value: id, label: name }))} first={data.entities.find(({ id }) => id === entity)?.id ?? data.entities[0]?.id ?? ''} onClose={close} />;
    return <Sheet title={t('dlt.chain')} label={t('dlt.chain')} onClose={close}><Problem error={new ApiError(404, null, null)} /></Sheet>;
}

/** The state of one; who is in it stays as it was hashed. */
function One({ chain, onClose }: { chain: Chain; onClose: () => void }) {
    const t = useT();
    const isMine = useMay()('dlt:manage');
    const stale = useStale();
    const [state, setState] = useState(chain.state);
    const [isEnding, setEnding] = useState(false);
    const path = { params: { path: { dlt_chain_id: chain.id } } };
    const save = useMutation({ mutationFn: () => unwrap(api.PATCH('/v1/dlt/chains/{dlt_chain_id}', { ...path, body: { state } })), onSuccess: async () => { await stale(); say(t('dlt.saved')); onClose(); } });
    const remove = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/dlt/chains/{dlt_chain_id}', path)), onSuccess: async () => { onClose(); await stale(); } });
    const last = chain.telemarketers.at(-1);
    const name = last === undefined || last.name === '' ? last?.registered_id ?? chain.id : last.name;
    return (
        <Sheet title={t('dlt.chain')} label={t('dlt.chain')} onClose={() => { if (!isEnding) onClose(); }}
            foot={!isMine ? undefined : <Button variant="default" leftSection={<IconTrash size={16} />} style={{ color: 'var(--st-red)' }} onClick={() => { setEnding(true); }}>{t('dlt.chain.remove')}</Button>}>
            <form className="stack" style={{ gap: 20 }} onSubmit={(event) => { event.preventDefault(); save.mutate(); }}>
                {save.isError && <Problem error={save.error} />}
                <ol className="plain">
                    {chain.telemarketers.map((each) => <li key={each.registered_id}>{each.name === '' ? <span className="mono">{each.registered_id}</span> : <>{each.name} <span className="mono quiet">{each.registered_id}</span></>}<div className="quiet" style={{ fontSize: 13 }}>{t(`dlt.role.${each.role}`)}</div></li>)}
                </ol>
                <div><h3 style={{ margin: 0 }}>{t('dlt.chain.hash')}</h3><p className="quiet" style={{ margin: '2px 0 8px', fontSize: 13 }}>{t('dlt.chain.hash.help')}</p><div className="pre line" style={{ flexWrap: 'nowrap' }}><span className="grow">{chain.hash}</span><Copy text={chain.hash} /></div></div>
                <Select label={t('dlt.state')} description={t('dlt.chain.state.help')} allowDeselect={false} disabled={!isMine} value={state} data={chainStates.map((value) => ({ value, label: t(`dlt.state.${value}`) }))} onChange={(value) => { setState(chainStates.find((each) => each === value) ?? state); }} />
                {isMine && <div className="line"><Button type="submit" disabled={state === chain.state} loading={save.isPending}>{t('save')}</Button></div>}
                <Facts rows={[[t('dlt.recorded'), <When key="c" at={chain.created_at} />], [t('updated'), <When key="u" at={chain.updated_at} />]]} />
            </form>
            <ConfirmByName isOpen={isEnding} title={t('dlt.chain.remove')} text={t('dlt.chain.remove.text')} name={name} act={t('dlt.chain.remove')} isBusy={remove.isPending} onClose={() => { remove.reset(); setEnding(false); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>
        </Sheet>
    );
}

function New({ entities, first, onClose }: { entities: { value: string; label: string }[]; first: string; onClose: () => void }) {
    const t = useT();
    const isMine = useMay()('dlt:manage');
    const stale = useStale();
    const [entity, setEntity] = useState(first);
    const [rows, setRows] = useState([{ key: 0, id: '', name: '' }]);
    const [asked, setAsked] = useState(false);
    const change = (key: number, part: { id?: string; name?: string }) => { setRows(rows.map((row) => (row.key === key ? { ...row, ...part } : row))); };
    const create = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/dlt/chains', { body: { entity_id: entity, telemarketers: rows.map((row) => ({ registered_id: row.id.trim(), ...(row.name.trim() === '' ? {} : { name: row.name.trim() }) })) } })),
        onSuccess: async () => { await stale(); say(t('dlt.saved')); onClose(); },
    });
    const faults = faultsByField(create.error);
    const isWhole = rows.every((row) => isId(row.id));
    return (
        <Sheet title={t('dlt.chain.add')} label={t('dlt.chain')} onClose={onClose}>
            <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isWhole) create.mutate(); }}>
                {create.isError && <Problem error={create.error} />}
                <p className="quiet" style={{ margin: 0 }}>{t('dlt.chain.add.text')}</p>
                {entities.length > 1 && <Select label={t('dlt.entity')} allowDeselect={false} value={entity} data={entities} onChange={(value) => { setEntity(value ?? entity); }} />}
                {rows.map((row, i) => (
                    <fieldset key={row.key} style={{ border: 0, padding: 0, margin: 0 }}>
                        <legend style={{ fontWeight: 620, marginBottom: 4, padding: 0 }}>{t('dlt.chain.place', { number: i + 1 })} <span className="quiet" style={{ fontWeight: 400 }}>{t(i === rows.length - 1 ? 'dlt.role.delivery' : 'dlt.role.aggregator')}</span></legend>
                        <div className="line" style={{ alignItems: 'flex-start', flexWrap: 'nowrap' }}>
                            <div className="stack grow" style={{ gap: 8 }}>
                                <TextInput label={t('dlt.telemarketer.id')} inputMode="numeric" autoComplete="off" maxLength={30} value={row.id} error={asked && !isId(row.id) ? t('dlt.id.fault') : faults[`/telemarketers/${i}/registered_id`]} onChange={(event) => { change(row.key, { id: event.currentTarget.value }); }} />
                                <TextInput label={t('dlt.telemarketer.name')} autoComplete="off" maxLength={200} value={row.name} onChange={(event) => { change(row.key, { name: event.currentTarget.value }); }} />
                            </div>
                            {rows.length > 1 && <ActionIcon variant="subtle" color="gray" mt={24} aria-label={t('dlt.telemarketer.remove', { number: i + 1 })} onClick={() => { setRows(rows.filter((each) => each.key !== row.key)); }}><IconX size={16} /></ActionIcon>}
                        </div>
                    </fieldset>
                ))}
                {rows.length < 10 && <div><Button variant="default" size="xs" leftSection={<IconPlus size={14} />} onClick={() => { setRows([...rows, { key: Math.max(...rows.map((row) => row.key)) + 1, id: '', name: '' }]); }}>{t('dlt.telemarketer.add')}</Button></div>}
                <div className="line"><Button type="submit" disabled={!isMine} loading={create.isPending}>{t('dlt.chain.add')}</Button></div>
            </form>
        </Sheet>
    );
}
