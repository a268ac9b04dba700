import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPlus, IconRoute } from '@tabler/icons-react';
import { Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { StatusBadge } from '@/components/status';
import { healthOf } from '@/features/sms/health';
import { inOrder, type Placed } from '@/features/sms/order';
import { routesQuery } from '@/features/sms/queries';
import { useRouteNames } from '@/features/sms/RoutesOf';
import { ChannelTabs } from '@/features/sms/Tabs';
import { useT } from '@/i18n/i18n';

/** Which operator carries what, in the order in which routes are looked at. */
export default function SmsRoutes() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const list = useQuery(routesQuery);
    const names = useRouteNames();
    const open = useMatchRoute()({ to: '/channels/routes/$routeId' });
    const isMine = may('channels:manage');
    const rows = inOrder(list.data ?? []);
    const go = (routeId: string) => { void navigate({ to: '/channels/routes/$routeId', params: { routeId }, resetScroll: false }); };
    const add = <Button leftSection={<IconPlus size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} onClick={() => { go('new'); }}>{t('sms.route.add')}</Button>;
    const operator = ({ route }: Placed) => { const of = names.connectorOf(route.connector_id); return of === undefined ? '–' : <StatusBadge state={healthOf(of)} />; };
    const columns: Column<Placed>[] = [
        { id: 'sender', title: t('sms.sender'), cell: ({ route }) => <Link to="/channels/routes/$routeId" params={{ routeId: route.id }} className="row-link" resetScroll={false}>{names.sender(route.channel_id)}</Link> },
        { id: 'prefix', title: t('sms.prefix'), cell: ({ route }) => <span className="number">{names.prefix(route.prefix)}</span> },
        { id: 'operator', title: t('sms.operator'), cell: ({ route }) => names.operator(route.connector_id) },
        { id: 'turn', title: t('sms.turn'), cell: ({ turn, of }) => of === 1 ? <span className="quiet">{t('sms.route.only')}</span> : t('sms.route.turn', { turn, whole: of }) },
        { id: 'priority', title: t('sms.priority'), isEnd: true, isMinor: true, cell: ({ route }) => route.priority },
        { id: 'state', title: t('messages.status'), cell: operator },
        { id: 'created', title: t('created'), isEnd: true, isMinor: true, isHidden: true, cell: ({ route }) => <When at={route.created_at} /> },
    ];
    return (
        <Page title={t('nav.channels')} purpose={t('sms.routes.purpose')} acts={rows.length === 0 ? undefined : add}>
            <ChannelTabs />
            {list.isPending ? <RowsSkeleton count={4} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconRoute} title={t('sms.routes.empty')} text={t('sms.routes.empty.text')}>{add}</EmptyState>
                : <>
                    <DataTable name="sms-routes" label={t('sms.tab.routes')} columns={columns} rows={rows} rowId={({ route }) => route.id} chosen={open === false ? undefined : open.routeId} onOpen={({ route }) => { go(route.id); }} />
                    <section className="section"><h2>{t('sms.order')}</h2><ol className="plain" style={{ maxWidth: '72ch' }}><li>{t('sms.order.own')}</li><li>{t('sms.order.prefix')}</li><li>{t('sms.order.priority')}</li><li>{t('sms.order.none')}</li></ol></section>
                </>}
            <Outlet />
        </Page>
    );
}
