import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconFilterOff, IconPlus, IconSignature } from '@tabler/icons-react';
import { getRouteApi, Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import type { DltHeader } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar, TextFilter } from '@/components/FilterBar';
import { headerStates, type HeaderFilter } from '@/features/dlt/filter';
import { RegistryState } from '@/features/dlt/pieces';
import { headersQuery } from '@/features/dlt/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/headers');

export default function DltHeaders() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const filter = route.useSearch();
    const list = useInfiniteQuery(headersQuery(filter));
    const open = useMatchRoute()({ to: '/dlt/headers/$headerId' });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isOn = filter.q !== undefined || filter.state !== undefined;
    const go = (search: HeaderFilter) => { void navigate({ to: '/dlt/headers', search, replace: true, resetScroll: false }); };
    const without = (name: keyof HeaderFilter): HeaderFilter => Object.fromEntries(Object.entries(filter).filter(([each]) => each !== name));
    const openOne = (headerId: string) => { void navigate({ to: '/dlt/headers/$headerId', params: { headerId }, search: filter, resetScroll: false }); };
    const add = may('dlt:manage') ? <Button variant="default" size="xs" mb={12} leftSection={<IconPlus size={14} />} onClick={() => { openOne('new'); }}>{t('dlt.header.add')}</Button> : null;
    const columns: Column<DltHeader>[] = [
        { id: 'name', title: t('dlt.header'), cell: (header) => <Link to="/dlt/headers/$headerId" params={{ headerId: header.id }} search={filter} className="row-link mono" resetScroll={false}>{header.name}</Link> },
        { id: 'state', title: t('dlt.state'), cell: (header) => <RegistryState state={header.state} isPaused={header.paused_reason !== null} /> },
        { id: 'for', title: t('dlt.header.for'), cell: (header) => t(header.is_promotional ? 'dlt.header.promotional' : 'dlt.header.any') },
        { id: 'id', title: t('dlt.header.id'), cell: (header) => header.registered_id === null ? <span className="quiet">–</span> : <span className="mono">{header.registered_id}</span>, isMinor: true },
        { id: 'templates', title: t('dlt.templates'), cell: (header) => header.template_count, isEnd: true, isMinor: true },
        { id: 'updated', title: t('updated'), cell: (header) => <When at={header.updated_at} />, isEnd: true, isMinor: true },
    ];
    return (
        <>
            {(rows.length !== 0 || isOn) && (
                <div className="line" style={{ justifyContent: 'space-between', alignItems: 'flex-start' }}>
                    <FilterBar isOn={isOn} onClear={() => { go({}); }}>
                        <TextFilter title={t('dlt.search')} value={filter.q ?? ''} onChange={(q) => { go({ ...without('q'), ...(q === '' ? {} : { q }) }); }} />
                        <ChoiceFilter title={t('dlt.state')} value={filter.state === undefined ? [] : [filter.state]} options={headerStates.map((value) => ({ value, label: <RegistryState state={value} /> }))} onChange={([value]) => { const state = headerStates.find((each) => each === value); go({ ...without('state'), ...(state === undefined ? {} : { state }) }); }} />
                    </FilterBar>
                    {add}
                </div>
            )}
            {list.isPending ? <RowsSkeleton count={5} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 && isOn ? <EmptyState icon={IconFilterOff} title={t('dlt.none')} text={t('dlt.none.text')} />
                : rows.length === 0 ? <EmptyState icon={IconSignature} title={t('dlt.headers.empty')} text={t('dlt.headers.empty.text')}>{add}</EmptyState>
                : <DataTable name="dlt-headers" label={t('dlt.headers')} columns={columns} rows={rows} rowId={(header) => header.id} chosen={open === false ? undefined : open.headerId} onOpen={(header) => { openOne(header.id); }} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            <Outlet />
        </>
    );
}
