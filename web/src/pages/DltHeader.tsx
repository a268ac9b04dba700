import { Button, Select, TextInput } from '@mantine/core';
import { useMutation, useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { IconTrash } from '@tabler/icons-react';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { ApiError, faultsByField } from '@/api/problem';
import type { DltHeader as Header } from '@/api/types';
import { useMay } from '@/app/session';
import { Facts, Problem, RowsSkeleton, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { Sheet } from '@/components/Sheet';
import { say } from '@/components/undo';
import { headerStates } from '@/features/dlt/filter';
import { Pause, RegistryState } from '@/features/dlt/pieces';
import { dltQuery, everyHeader, useStale } from '@/features/dlt/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/headers/$headerId');
const isId = (text: string) => text.trim() === '' || /^[0-9]{1,30}$/.test(text.trim());

/** One header, or "new". */
export default function DltHeader() {
    const t = useT();
    const navigate = useNavigate();
    const { headerId } = route.useParams();
    const search = route.useSearch();
    const headers = useQuery({ ...everyHeader, enabled: headerId !== 'new' });
    const close = () => { void navigate({ to: '/dlt/headers', search, resetScroll: false }); };
    const found = headers.data?.find((header) => header.id === headerId);
    if (headerId === 'new')
        return <New onClose={close} />;
    if (found !== undefined)
        return <One key={found.updated_at} header={found} onClose={close} />;
    return <Sheet title={t('dlt.header')} label={t('dlt.header')} onClose={close}>{headers.isPending ? <RowsSkeleton count={3} /> : <Problem error={headers.error ?? new ApiError(404, null, null)} />}</Sheet>;
}

function One({ header, onClose }: { header: Header; onClose: () => void }) {
    const t = useT();
    const isMine = useMay()('dlt:manage');
    const stale = useStale();
    const { data: overview } = useSuspenseQuery(dltQuery);
    const [id, setId] = useState(header.registered_id ?? '');
    const [state, setState] = useState(header.state);
    const [isEnding, setEnding] = useState(false);
    const path = { params: { path: { dlt_header_id: header.id } } };
    const hasNewId = id.trim() !== '' && id.trim() !== header.registered_id;
    const save = useMutation({
        mutationFn: () => unwrap(api.PATCH('/v1/dlt/headers/{dlt_header_id}', { ...path, body: { ...(state === header.state ? {} : { state }), ...(hasNewId ? { registered_id: id.trim() } : {}) } })),
        onSuccess: async () => { await stale(); say(t('dlt.saved')); },
    });
    const pause = useMutation({ mutationFn: (paused_reason: string | null) => unwrap(api.PATCH('/v1/dlt/headers/{dlt_header_id}', { ...path, body: { paused_reason } })), onSuccess: stale });
    const remove = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/dlt/headers/{dlt_header_id}', path)), onSuccess: async () => { onClose(); await stale(); } });
    const faults = faultsByField(save.error);
    return (
        <Sheet title={<span className="mono">{header.name}</span>} label={t('dlt.header')} onClose={() => { if (!isEnding) onClose(); }}
            foot={!isMine ? undefined : <Button variant="default" leftSection={<IconTrash size={16} />} style={{ color: 'var(--st-red)' }} onClick={() => { setEnding(true); }}>{t('dlt.header.remove')}</Button>}>
            <div className="stack" style={{ gap: 20 }}>
                <Pause of={header} isMine={isMine} isBusy={pause.isPending} error={pause.error} onPause={(reason) => { pause.mutate(reason); }} />
                <Facts rows={[
                    [t('dlt.state'), <RegistryState key="s" state={header.state} isPaused={header.paused_reason !== null} />],
                    [t('dlt.entity'), overview.entities.find((entity) => entity.id === header.entity_id)?.name ?? '–'],
                    [t('dlt.header.for'), t(header.is_promotional ? 'dlt.header.promotional' : 'dlt.header.any')],
                    [t('dlt.templates'), <Link key="t" to="/dlt/templates" search={{ header: header.id }}>{t('dlt.templates.count', { count: header.template_count })}</Link>],
                    [t('dlt.recorded'), <When key="c" at={header.created_at} />], [t('updated'), <When key="u" at={header.updated_at} />],
                ]} />
                {isMine && (
                    <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); if (isId(id)) save.mutate(); }}>
                        {save.isError && <Problem error={save.error} />}
                        <Select label={t('dlt.state')} description={t('dlt.state.help')} allowDeselect={false} value={state} data={headerStates.map((value) => ({ value, label: t(`dlt.state.${value}`) }))} onChange={(value) => { setState(headerStates.find((each) => each === value) ?? state); }} />
                        <TextInput label={t('dlt.header.id')} description={t('dlt.header.id.help')} inputMode="numeric" autoComplete="off" maxLength={30} value={id} error={isId(id) ? faults['/registered_id'] : t('dlt.id.fault')} onChange={(event) => { setId(event.currentTarget.value); }} />
                        <div className="line"><Button type="submit" disabled={state === header.state && !hasNewId} loading={save.isPending}>{t('save')}</Button></div>
                    </form>
                )}
            </div>
            <ConfirmByName isOpen={isEnding} title={t('dlt.header.remove')} text={t('dlt.header.remove.text', { count: header.template_count })} name={header.name} act={t('dlt.header.remove')} isBusy={remove.isPending} onClose={() => { remove.reset(); setEnding(false); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>
        </Sheet>
    );
}

function New({ onClose }: { onClose: () => void }) {
    const t = useT();
    const isMine = useMay()('dlt:manage');
    const stale = useStale();
    const { data: overview } = useSuspenseQuery(dltQuery);
    const [entity, setEntity] = useState(overview.entities[0]?.id ?? '');
    const [name, setName] = useState('');
    const [id, setId] = useState('');
    const [state, setState] = useState<Header['state']>('active');
    const [asked, setAsked] = useState(false);
    const isName = /^([A-Za-z]{3,11}|[0-8][0-9]{2,10})$/.test(name.trim());
    const create = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/dlt/headers', { body: { entity_id: entity, name: name.trim(), state, ...(id.trim() === '' ? {} : { registered_id: id.trim() }) } })),
        onSuccess: async () => { await stale(); say(t('dlt.saved')); onClose(); },
    });
    const faults = faultsByField(create.error);
    return (
        <Sheet title={t('dlt.header.add')} label={t('dlt.header')} onClose={onClose}>
            <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isName && isId(id)) create.mutate(); }}>
                {create.isError && <Problem error={create.error} />}
                {overview.entities.length > 1 && <Select label={t('dlt.entity')} allowDeselect={false} value={entity} data={overview.entities.map((each) => ({ value: each.id, label: each.name }))} onChange={(value) => { setEntity(value ?? entity); }} />}
                <TextInput label={t('dlt.header')} description={t('dlt.header.name.help')} placeholder="HRKARA" autoComplete="off" maxLength={11} value={name} error={asked && !isName ? t('dlt.header.name.fault') : faults['/name']} onChange={(event) => { setName(event.currentTarget.value); }} />
                <TextInput label={t('dlt.header.id')} description={t('dlt.header.id.help')} inputMode="numeric" autoComplete="off" maxLength={30} value={id} error={isId(id) ? faults['/registered_id'] : t('dlt.id.fault')} onChange={(event) => { setId(event.currentTarget.value); }} />
                <Select label={t('dlt.state')} description={t('dlt.state.help')} allowDeselect={false} value={state} data={headerStates.map((value) => ({ value, label: t(`dlt.state.${value}`) }))} onChange={(value) => { setState(headerStates.find((each) => each === value) ?? state); }} />
                <div className="line"><Button type="submit" disabled={!isMine} title={isMine ? undefined : t('may.not')} loading={create.isPending}>{t('dlt.header.add')}</Button></div>
            </form>
        </Sheet>
    );
}
