import { Button, Select, TextInput } from '@mantine/core';
import { useMutation, useSuspenseQuery } from '@tanstack/react-query';
import { IconTrash } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { ApiError, faultsByField } from '@/api/problem';
import type { DltEntity as Entity } from '@/api/types';
import { useMay } from '@/app/session';
import { Facts, Problem, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { Sheet } from '@/components/Sheet';
import { say } from '@/components/undo';
import { states } from '@/features/dlt/filter';
import { dltQuery, useStale } from '@/features/dlt/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/entities/$entityId');

/** One entity, or "new". */
export default function DltEntity() {
    const t = useT();
    const navigate = useNavigate();
    const { entityId } = route.useParams();
    const { data } = useSuspenseQuery(dltQuery);
    const close = () => { void navigate({ to: '/dlt/entities', resetScroll: false }); };
    const found = data.entities.find((entity) => entity.id === entityId);
    if (found !== undefined || entityId === 'new')
        return <One key={`${entityId} ${found?.updated_at ?? ''}`} entity={found ?? null} onClose={close} />;
    return <Sheet title={t('dlt.entity')} label={t('dlt.entity')} onClose={close}><Problem error={new ApiError(404, null, null)} /></Sheet>;
}

function One({ entity, onClose }: { entity: Entity | null; onClose: () => void }) {
    const t = useT();
    const isMine = useMay()('dlt:manage');
    const stale = useStale();
    const [id, setId] = useState(entity?.registered_id ?? '');
    const [name, setName] = useState(entity?.name ?? '');
    const [state, setState] = useState(entity?.state ?? 'active');
    const [asked, setAsked] = useState(false);
    const [isEnding, setEnding] = useState(false);
    const save = useMutation({
        mutationFn: () => entity === null ? unwrap(api.POST('/v1/dlt/entities', { body: { registered_id: id.trim(), name: name.trim(), state } }))
            : unwrap(api.PATCH('/v1/dlt/entities/{dlt_entity_id}', { params: { path: { dlt_entity_id: entity.id } }, body: { name: name.trim(), state } })),
        onSuccess: async () => { await stale(); say(t('dlt.saved')); onClose(); },
    });
    const remove = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/dlt/entities/{dlt_entity_id}', { params: { path: { dlt_entity_id: entity?.id ?? '' } } })), onSuccess: async () => { onClose(); await stale(); } });
    const faults = faultsByField(save.error);
    const idFault = asked && !/^[0-9]{1,30}$/.test(id.trim()) ? t('dlt.id.fault') : faults['/registered_id'];
    const nameFault = asked && name.trim() === '' ? t('dlt.name.fault') : faults['/name'];
    const isWhole = /^[0-9]{1,30}$/.test(id.trim()) && name.trim() !== '';
    const isChanged = entity === null || name.trim() !== entity.name || state !== entity.state;
    return (
        <Sheet title={entity?.name ?? t('dlt.entity.add')} label={t('dlt.entity')} onClose={() => { if (!isEnding) onClose(); }}
            foot={entity === null || !isMine ? undefined : <Button variant="default" leftSection={<IconTrash size={16} />} style={{ color: 'var(--st-red)' }} onClick={() => { setEnding(true); }}>{t('dlt.entity.remove')}</Button>}>
            <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isWhole) save.mutate(); }}>
                {save.isError && <Problem error={save.error} />}
                <TextInput label={t('dlt.entity.id')} description={t('dlt.entity.id.help')} inputMode="numeric" autoComplete="off" value={id} maxLength={30} disabled={entity !== null || !isMine} error={idFault} onChange={(event) => { setId(event.currentTarget.value); }} />
                <TextInput label={t('dlt.name')} description={t('dlt.entity.name.help')} autoComplete="off" value={name} maxLength={200} disabled={!isMine} error={nameFault} onChange={(event) => { setName(event.currentTarget.value); }} />
                <Select label={t('dlt.state')} description={t('dlt.entity.state.help')} allowDeselect={false} disabled={!isMine} value={state} data={states.map((value) => ({ value, label: t(`dlt.state.${value}`) }))} onChange={(value) => { setState(states.find((each) => each === value) ?? state); }} />
                {isMine && <div className="line"><Button type="submit" disabled={!isChanged} loading={save.isPending}>{t(entity === null ? 'dlt.entity.add' : 'save')}</Button></div>}
                {entity !== null && <Facts rows={[[t('dlt.recorded'), <When key="c" at={entity.created_at} />], [t('updated'), <When key="u" at={entity.updated_at} />]]} />}
            </form>
            {entity !== null && <ConfirmByName isOpen={isEnding} title={t('dlt.entity.remove')} text={t('dlt.entity.remove.text')} name={entity.name} act={t('dlt.entity.remove')} isBusy={remove.isPending} onClose={() => { remove.reset(); setEnding(false); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>}
        </Sheet>
    );
}
