import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconAntenna, IconPlus } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import type { SmsConnector } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { StatusBadge } from '@/components/status';
import { figuresOf, healthOf } from '@/features/sms/health';
import { Why } from '@/features/sms/Links';
import { connectorsQuery, routesQuery } from '@/features/sms/queries';
import { ChannelTabs } from '@/features/sms/Tabs';
import { useLanguage } from '@/i18n/i18n';

/** Accounts at SMS operators, with the state of their links as it changes. */
export default function Operators() {
    const { t, intl } = useLanguage();
    const may = useMay();
    const navigate = useNavigate();
    const list = useQuery(connectorsQuery);
    const routes = useQuery(routesQuery);
    const isMine = may('channels:manage');
    const rows = list.data ?? [];
    const connect = <Button leftSection={<IconPlus size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/channels/operators/new' }); }}>{t('sms.connect')}</Button>;
    const routesOf = (of: SmsConnector) => routes.data?.filter((route) => route.connector_id === of.id).length ?? null;
    const whyOf = (of: SmsConnector) => of.state === 'active' ? of.links.find((link) => !link.is_stale && link.state !== 'bound' && link.detail !== null)?.detail ?? null : of.state_reason;
    const columns: Column<SmsConnector>[] = [
        { id: 'name', title: t('sms.operator'), cell: (of) => <Link to="/channels/operators/$connectorId" params={{ connectorId: of.id }} className="row-link">{of.name}</Link> },
        { id: 'state', title: t('messages.status'), cell: (of) => <StatusBadge state={healthOf(of)} /> },
        { id: 'links', title: t('sms.links.bound'), isEnd: true, cell: (of) => <span className="number">{t('sms.of', { count: figuresOf(of).bound, whole: figuresOf(of).wanted })}</span> },
        { id: 'flight', title: t('sms.in_flight'), isEnd: true, isMinor: true, cell: (of) => { const { inFlight, window } = figuresOf(of); return window === 0 ? <span className="quiet">–</span> : t('sms.of', { count: inFlight, whole: window }); } },
        { id: 'pace', title: t('sms.pace.now'), isEnd: true, isMinor: true, cell: (of) => { const { pace } = figuresOf(of); return pace === null ? <span className="quiet">–</span> : pace < of.per_second ? <span style={{ color: 'var(--st-orange)' }} title={t('sms.pace.slowed')}>{t('sms.of', { count: pace, whole: of.per_second })}</span> : intl.formatNumber(pace); } },
        { id: 'routes', title: t('sms.tab.routes'), isEnd: true, isMinor: true, cell: (of) => routesOf(of) === 0 ? <span style={{ color: 'var(--st-orange)' }}>{t('sms.routes.none.short')}</span> : routesOf(of) ?? '–' },
        { id: 'why', title: t('sms.why'), cell: (of) => <Why detail={whyOf(of)} /> },
        { id: 'host', title: t('sms.host'), isMinor: true, isHidden: true, cell: (of) => <span className="mono">{of.host}:{of.port}</span> },
    ];
    return (
        <Page title={t('nav.channels')} purpose={t('sms.operators.purpose')} acts={rows.length === 0 ? undefined : connect}>
            <ChannelTabs />
            {list.isPending ? <RowsSkeleton count={4} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconAntenna} title={t('sms.operators.empty')} text={t('sms.operators.empty.text')}>{connect}</EmptyState>
                : <DataTable name="operators" label={t('sms.tab.operators')} columns={columns} rows={rows} rowId={(of) => of.id} onOpen={(of) => { void navigate({ to: '/channels/operators/$connectorId', params: { connectorId: of.id } }); }} />}
        </Page>
    );
}
