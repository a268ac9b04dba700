import { Button, NumberInput, Select, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconTrash } from '@tabler/icons-react';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError, faultsByField } from '@/api/problem';
import type { SmsRoute as RouteOf } from '@/api/types';
import { useMay } from '@/app/session';
import { Problem, RowsSkeleton } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { say, sayWithUndo } from '@/components/undo';
import { routesQuery } from '@/features/sms/queries';
import { useRouteNames } from '@/features/sms/RoutesOf';
import { useT } from '@/i18n/i18n';

const place = getRouteApi('/app/channels/routes/$routeId');
const ANY = 'any';

/** One route, or "new". */
export default function SmsRoute() {
    const t = useT();
    const navigate = useNavigate();
    const { routeId } = place.useParams();
    const { operator, sender } = place.useSearch();
    const routes = useQuery(routesQuery);
    const names = useRouteNames();
    const close = () => { void navigate({ to: '/channels/routes', resetScroll: false }); };
    const found = routes.data?.find((route) => route.id === routeId);
    if (!names.isPending && (found !== undefined || routeId === 'new'))
        return <One key={`${routeId} ${JSON.stringify(found)}`} route={found ?? null} with_={{ operator, sender }} onClose={close} />;
    return <Sheet title={t('sms.route')} label={t('sms.route')} onClose={close}>{routes.isPending || names.isPending ? <RowsSkeleton count={3} /> : <Problem error={routes.error ?? new ApiError(404, null, null)} />}</Sheet>;
}

function One({ route, with_, onClose }: { route: RouteOf | null; with_: { operator?: string | undefined; sender?: string | undefined }; onClose: () => void }) {
    const t = useT();
    const may = useMay();
    const client = useQueryClient();
    const names = useRouteNames();
    const isMine = may('channels:manage');
    const only = names.connectors.length === 1 ? names.connectors[0]?.id : undefined;
    const [channel, setChannel] = useState<string>(route === null ? with_.sender ?? ANY : route.channel_id ?? ANY);
    const [connector, setConnector] = useState<string | null>(route?.connector_id ?? with_.operator ?? only ?? null);
    const [prefix, setPrefix] = useState(route?.prefix ?? '');
    const [priority, setPriority] = useState<number | ''>(route?.priority ?? 0);
    const [asked, setAsked] = useState(false);
    const digits = prefix.replaceAll(/^\+|[\s-]/g, '');
    const isPrefixBad = !/^[0-9]{0,15}$/.test(digits), isPriorityBad = priority === '' || priority < 0 || priority > 99;
    const body = { channel_id: channel === ANY ? null : channel, prefix: digits, connector_id: connector ?? '', priority: priority === '' ? 0 : priority };
    const isChanged = route === null || body.channel_id !== route.channel_id || body.prefix !== route.prefix || body.connector_id !== route.connector_id || body.priority !== route.priority;
    const again = () => client.invalidateQueries({ queryKey: keys.sms.routes });
    const save = useMutation({
        mutationFn: () => route === null ? unwrap(api.POST('/v1/sms/routes', { body })) : unwrap(api.PATCH('/v1/sms/routes/{route_id}', { params: { path: { route_id: route.id } }, body })),
        onSuccess: () => { say(t('sms.route.saved')); onClose(); },
        onSettled: again,
    });
    const remove = useMutation({
        mutationFn: (of: RouteOf) => unwrap(api.DELETE('/v1/sms/routes/{route_id}', { params: { path: { route_id: of.id } } })),
        onSuccess: (_, { channel_id, prefix, connector_id, priority }) => {
            sayWithUndo(t('sms.route.removed'), t('undo'), () => { void unwrap(api.POST('/v1/sms/routes', { body: { channel_id, prefix, connector_id, priority } })).finally(again); });
            onClose();
            return again();
        },
    });
    const faults = faultsByField(save.error);
    const label = route === null ? t('sms.route.add') : t('sms.route');
    return (
        <Sheet title={label} label={label} onClose={onClose}
            foot={route === null || !isMine ? undefined : <Button variant="default" leftSection={<IconTrash size={16} />} style={{ color: 'var(--st-red)' }} loading={remove.isPending} onClick={() => { remove.mutate(route); }}>{t('sms.route.remove')}</Button>}>
            <form className="stack" style={{ gap: 20 }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (connector !== null && !isPrefixBad && !isPriorityBad && isChanged) save.mutate(); }}>
                {(save.error ?? remove.error) !== null && <Problem error={save.error ?? remove.error} />}
                {names.connectors.length === 0 && <p className="note" style={{ margin: 0 }}>{t('sms.route.no_operator')} <Link to="/channels/operators/new">{t('sms.connect')}</Link></p>}
                <Select label={t('sms.sender')} description={t('sms.route.sender.help')} allowDeselect={false} disabled={!isMine} value={channel} error={faults['/channel_id']} onChange={(value) => { setChannel(value ?? ANY); }}
                    data={[{ value: ANY, label: t('sms.route.any_sender') }, ...names.channels.map(({ id, name }) => ({ value: id, label: name })), ...(channel === ANY || names.channels.some(({ id }) => id === channel) ? [] : [{ value: channel, label: names.sender(channel) }])]} />
                <TextInput label={t('sms.prefix')} description={t('sms.prefix.help')} inputMode="tel" placeholder="91" maxLength={20} disabled={!isMine} value={prefix} error={isPrefixBad ? t('sms.bad.prefix') : faults['/prefix']} onChange={(event) => { setPrefix(event.currentTarget.value); }} />
                <Select label={t('sms.operator')} allowDeselect={false} disabled={!isMine} value={connector} error={asked && connector === null ? t('sms.bad.operator') : faults['/connector_id']} onChange={setConnector} data={names.connectors.map(({ id, name }) => ({ value: id, label: name }))} />
                <NumberInput label={t('sms.priority')} description={t('sms.priority.help')} min={0} max={99} clampBehavior="none" allowDecimal={false} allowNegative={false} disabled={!isMine} value={priority} error={isPriorityBad ? t('sms.bad.number', { least: 0, most: 99 }) : faults['/priority']} onChange={(value) => { setPriority(typeof value === 'number' ? value : ''); }} />
                {isMine && <div className="line"><Button type="submit" disabled={!isChanged} loading={save.isPending}>{t(route === null ? 'sms.route.add' : 'save')}</Button></div>}
            </form>
        </Sheet>
    );
}
