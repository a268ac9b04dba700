import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconPlus, IconWebhook } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import type { WebhookEndpoint } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { StatusBadge } from '@/components/status';
import { endpointsQuery } from '@/features/webhooks/queries';
import { endpointState } from '@/features/webhooks/state';
import { useT } from '@/i18n/i18n';

export default function Webhooks() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const list = useInfiniteQuery(endpointsQuery);
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isMine = may('webhooks:manage');
    const add = <Button leftSection={<IconPlus size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/webhooks/new' }); }}>{t('webhooks.add')}</Button>;
    const columns: Column<WebhookEndpoint>[] = [
        { id: 'url', title: t('webhooks.url'), cell: (endpoint) => <Link to="/webhooks/$endpointId" params={{ endpointId: endpoint.id }} className="row-link mono">{endpoint.url}</Link> },
        { id: 'state', title: t('messages.status'), cell: (endpoint) => <StatusBadge state={endpointState(endpoint)} /> },
        { id: 'description', title: t('webhooks.description'), cell: (endpoint) => endpoint.description === '' ? <span className="quiet">–</span> : endpoint.description, isMinor: true },
        { id: 'events', title: t('webhooks.events'), cell: (endpoint) => endpoint.events.includes('*') ? t('webhooks.events.all') : t('webhooks.events.count', { count: endpoint.events.length }), isMinor: true },
        { id: 'failing', title: t('webhooks.failing_since'), cell: (endpoint) => <When at={endpoint.failing_since} />, isMinor: true },
        { id: 'created', title: t('created'), cell: (endpoint) => <When at={endpoint.created_at} />, isEnd: true },
    ];
    return (
        <Page title={t('nav.webhooks')} purpose={t('webhooks.purpose')} acts={rows.length === 0 ? undefined : add}>
            {list.isPending ? <RowsSkeleton count={4} />
                : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconWebhook} title={t('webhooks.empty')} text={t('webhooks.empty.text')}>{add}</EmptyState>
                : <DataTable name="webhooks" label={t('nav.webhooks')} columns={columns} rows={rows} rowId={(endpoint) => endpoint.id} onOpen={(endpoint) => { void navigate({ to: '/webhooks/$endpointId', params: { endpointId: endpoint.id } }); }} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
        </Page>
    );
}
