import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconDownload, IconFilterOff, IconUpload, IconUserCheck } from '@tabler/icons-react';
import { getRouteApi, Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import type { Consent } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar, TextFilter } from '@/components/FilterBar';
import { StatusBadge } from '@/components/status';
import { useConsentExport } from '@/features/consent/export';
import { channelKinds, channelNames, readLedgerFilter, sources, states } from '@/features/consent/filter';
import { Address, Kind, Purpose, RevealButton, RevealNote, useReveal } from '@/features/consent/Pieces';
import { ledgerPages } from '@/features/consent/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/consent/ledger');

export default function ConsentLedger() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const filter = route.useSearch();
    const reveal = useReveal();
    const list = useInfiniteQuery(ledgerPages(filter, reveal.isRevealed));
    const whole = useConsentExport();
    const open = useMatchRoute()({ to: '/consent/ledger/$consentId' });
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isFiltered = Object.keys(filter).length !== 0;
    const set = (change: Record<string, unknown>) => { void navigate({ to: '/consent/ledger', search: readLedgerFilter({ ...filter, ...change }), replace: true }); };
    const columns: Column<Consent>[] = [
        { id: 'number', title: t('consent.number'), cell: (entry) => <Link to="/consent/ledger/$consentId" params={{ consentId: entry.id }} search={filter} className="row-link" resetScroll={false}><Address address={entry.address} /></Link> },
        { id: 'state', title: t('consent.state'), cell: (entry) => <StatusBadge state={entry.state} /> },
        { id: 'purpose', title: t('consent.for'), cell: (entry) => <Purpose of={entry.purpose} /> },
        { id: 'channel', title: t('consent.channel'), cell: (entry) => <Kind of={entry.channel} />, isMinor: true },
        { id: 'source', title: t('consent.source'), cell: (entry) => t(`consent.source.${entry.source}`), isMinor: true },
        { id: 'method', title: t('consent.method'), cell: (entry) => entry.method ?? <span className="quiet">–</span>, isMinor: true, isHidden: true },
        { id: 'recorded', title: t('consent.recorded_at'), cell: (entry) => <When at={entry.recorded_at} />, isMinor: true, isHidden: true },
        { id: 'at', title: t('consent.at'), cell: (entry) => <When at={entry.at} />, isEnd: true },
    ];
    return (
        <>
            {whole.isError && <div style={{ marginBottom: 16 }}><Problem error={whole.error} /></div>}
            <div className="line" style={{ justifyContent: 'space-between', alignItems: 'flex-start' }}>
                <FilterBar isOn={isFiltered} onClear={() => { void navigate({ to: '/consent/ledger', search: {}, replace: true }); }}>
                    <ChoiceFilter title={t('consent.state')} value={filter.state === undefined ? [] : [filter.state]} options={states.map((value) => ({ value, label: <StatusBadge state={value} /> }))} onChange={([state]) => { set({ state }); }} />
                    <ChoiceFilter title={t('consent.channel')} value={filter.channel === undefined ? [] : [filter.channel]} options={channelKinds.map((value) => ({ value, label: channelNames[value] }))} onChange={([channel]) => { set({ channel }); }} />
                    <TextFilter title={t('consent.for')} help={t('consent.purpose.fault')} value={filter.purpose ?? ''} onChange={(purpose) => { set({ purpose }); }} />
                    <ChoiceFilter title={t('consent.source')} value={filter.source === undefined ? [] : [filter.source]} options={sources.map((value) => ({ value, label: t(`consent.source.${value}`) }))} onChange={([source]) => { set({ source }); }} />
                    <TextFilter title={t('consent.since')} type="datetime-local" value={filter.since ?? ''} onChange={(since) => { set({ since }); }} />
                    <TextFilter title={t('consent.until')} type="datetime-local" value={filter.until ?? ''} onChange={(until) => { set({ until }); }} />
                    {rows.length !== 0 && <RevealButton {...reveal} />}
                </FilterBar>
                {may('consents:manage') && (
                    <span className="line" style={{ marginBottom: 12 }}>
                        <Button variant="default" size="xs" leftSection={<IconUpload size={15} aria-hidden />} onClick={() => { void navigate({ to: '/consent/import' }); }}>{t('consent.import')}</Button>
                        {rows.length !== 0 && <Button variant="default" size="xs" leftSection={<IconDownload size={15} aria-hidden />} loading={whole.isPending} onClick={() => { whole.mutate({ filter, reveal: reveal.isRevealed }); }}>{t(isFiltered ? 'consent.export.these' : 'consent.export.all')}</Button>}
                    </span>
                )}
            </div>
            <RevealNote isRevealed={reveal.isRevealed} />
            {list.isPending ? <RowsSkeleton count={8} />
                : list.isError && rows.length === 0 ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 && isFiltered ? <EmptyState icon={IconFilterOff} title={t('consent.none')} text={t('consent.none.text')} />
                : rows.length === 0 ? <EmptyState icon={IconUserCheck} title={t('consent.empty')} text={t('consent.empty.text')} />
                : <DataTable name="consents" label={t('consent.ledger')} columns={columns} rows={rows} rowId={(entry) => entry.id} chosen={open === false ? undefined : open.consentId}
                    onOpen={(entry) => { void navigate({ to: '/consent/ledger/$consentId', params: { consentId: entry.id }, search: filter, resetScroll: false }); }}
                    hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            <Outlet />
        </>
    );
}
