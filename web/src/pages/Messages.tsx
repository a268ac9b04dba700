import { Button } from '@mantine/core';
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconArrowDownLeft, IconArrowUpRight, IconDownload, IconFilterOff, IconMessages } from '@tabler/icons-react';
import { getRouteApi, Link, Outlet, useMatchRoute, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { keys } from '@/api/keys';
import type { Message } from '@/api/types';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { ChoiceFilter, FilterBar, TextFilter } from '@/components/FilterBar';
import { SavedViews } from '@/components/SavedViews';
import { StatusBadge } from '@/components/status';
import { useMay, useSession } from '@/app/session';
import { channelsQuery } from '@/features/channels/queries';
import { MessagesAct } from '@/features/messages/Again';
import { useExport } from '@/features/messages/export';
import { messageCategories, messageStatuses, readMessageFilter, type MessageFilter } from '@/features/messages/filter';
import { compareWithTop } from '@/features/messages/newer';
import { NewerPill } from '@/features/messages/Newer';
import { messagesQuery, messagesTop } from '@/features/messages/queries';
import { StatusOf } from '@/features/messages/StatusOf';
import { mayCancel, mayResend } from '@/features/messages/state';
import { useT, type Word } from '@/i18n/i18n';

const route = getRouteApi('/app/messages');

export default function Messages() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const filter = route.useSearch();
    const { workspace } = useSession();
    const client = useQueryClient();
    const [asked, setAsked] = useState<{ act: 'cancel' | 'resend'; messages: Message[]; clear: () => void } | null>(null);
    const whole = useExport();
    const list = useInfiniteQuery(messagesQuery(filter));
    const channels = useQuery({ ...channelsQuery, enabled: may('channels:read') });
    const open = useMatchRoute()({ to: '/messages/$messageId' });
    const chosen = open === false ? undefined : open.messageId;
    const names = new Map((channels.data ?? []).map((channel) => [channel.id, channel.name]));
    const shown = list.data?.pages.flatMap((page) => page.data) ?? [];
    const top = useQuery({ ...messagesTop(filter), enabled: shown.length !== 0, initialData: () => list.data?.pages[0], initialDataUpdatedAt: list.dataUpdatedAt });
    const { count, isMore, rows } = compareWithTop(shown, top.data?.data ?? []);
    const isFiltered = Object.keys(filter).length !== 0;
    const set = (change: Partial<Record<keyof MessageFilter, unknown>>) => {
        const next = { ...filter, ...change };
        void navigate({ to: '/messages', search: Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0))) as MessageFilter, replace: true });
    };

    const columns: Column<Message>[] = [
        { id: 'who', title: t('messages.person'), cell: (m) => (
            <Link to="/messages/$messageId" params={{ messageId: m.id }} search={filter} className="row-link line" style={{ flexWrap: 'nowrap' }} resetScroll={false}>
                {m.direction === 'inbound' ? <IconArrowDownLeft size={15} aria-label={t('direction.inbound')} style={{ color: 'var(--st-green)', flex: 'none' }} /> : <IconArrowUpRight size={15} aria-label={t('direction.outbound')} style={{ color: 'var(--mantine-color-dimmed)', flex: 'none' }} />}
                <span className="number cut">{(m.direction === 'inbound' ? m.from : m.to) ?? '–'}</span>
            </Link>) },
        { id: 'status', title: t('messages.status'), cell: (m) => <StatusOf message={m} /> },
        { id: 'type', title: t('messages.type'), cell: (m) => m.type, isMinor: true },
        { id: 'category', title: t('messages.category'), cell: (m) => t(`category.${m.category}`), isMinor: true },
        { id: 'channel', title: t('messages.channel'), cell: (m) => names.get(m.channel_id) ?? <span className="mono">{m.channel_id.slice(-6)}</span>, isMinor: true },
        { id: 'reference', title: t('messages.reference'), cell: (m) => m.reference ?? <span className="quiet">–</span>, isMinor: true, isHidden: true },
        { id: 'id', title: t('messages.id'), cell: (m) => <span className="mono">{m.id}</span>, isMinor: true, isHidden: true },
        { id: 'created', title: t('messages.created'), cell: (m) => <When at={m.created_at} />, isEnd: true },
    ];

    return (
        <>
            <Page title={t('nav.messages')} purpose={t('messages.purpose')}
                acts={may('messages:export') && rows.length !== 0 ? <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} loading={whole.isPending} onClick={() => { whole.mutate(filter); }}>{t(isFiltered ? 'export.these' : 'export.all')}</Button> : undefined}>
                {whole.isError && <div style={{ marginBottom: 16 }}><Problem error={whole.error} /></div>}
                <FilterBar isOn={isFiltered} onClear={() => { void navigate({ to: '/messages', search: {}, replace: true }); }}>
                    <SavedViews place="messages" workspace={workspace?.id} search={filter} read={readMessageFilter} onApply={(search) => { void navigate({ to: '/messages', search, replace: true }); }}
                        given={[{ name: t('views.trouble'), search: { status: ['failed', 'uncertain', 'expired'] } }, { name: t('views.blocked'), search: { status: ['blocked'] } }, { name: t('views.waiting'), search: { status: ['queued', 'held'] } }]} />
                    <ChoiceFilter title={t('messages.status')} isMultiple value={filter.status ?? []} options={messageStatuses.map((value) => ({ value, label: <StatusBadge state={value} /> }))} onChange={(status) => { set({ status }); }} />
                    <ChoiceFilter title={t('messages.direction')} value={filter.direction === undefined ? [] : [filter.direction]} options={(['outbound', 'inbound'] as const).map((value) => ({ value, label: t(`direction.${value}`) }))} onChange={([direction]) => { set({ direction }); }} />
                    <ChoiceFilter title={t('messages.category')} value={filter.category === undefined ? [] : [filter.category]} options={messageCategories.map((value) => ({ value, label: t(`category.${value}` as Word) }))} onChange={([category]) => { set({ category }); }} />
                    {(channels.data?.length ?? 0) > 0 && <ChoiceFilter title={t('messages.channel')} value={filter.channel === undefined ? [] : [filter.channel]} options={(channels.data ?? []).map((channel) => ({ value: channel.id, label: channel.name }))} onChange={([channel]) => { set({ channel }); }} />}
                    <TextFilter title={t('messages.person')} help={t('messages.person.help')} value={filter.to ?? ''} onChange={(to) => { set({ to }); }} />
                    <TextFilter title={t('messages.reference')} help={t('messages.exact')} value={filter.reference ?? ''} onChange={(reference) => { set({ reference }); }} />
                    <TextFilter title={t('messages.tag')} help={t('messages.exact')} value={filter.tag ?? ''} onChange={(tag) => { set({ tag }); }} />
                    <TextFilter title={t('messages.after')} type="datetime-local" value={filter.after ?? ''} onChange={(after) => { set({ after }); }} />
                    <TextFilter title={t('messages.before')} type="datetime-local" value={filter.before ?? ''} onChange={(before) => { set({ before }); }} />
                </FilterBar>
                <NewerPill count={count} isMore={isMore} onShow={() => { void client.resetQueries({ queryKey: keys.messages.list(filter) }); }} />
                {top.isError && shown.length !== 0 && <p className="note" role="status" style={{ marginTop: 0 }}>{t('live.stale')}</p>}
                {list.isPending ? <RowsSkeleton count={12} />
                    : list.isError && rows.length === 0 ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                    : rows.length === 0 && isFiltered ? <EmptyState icon={IconFilterOff} title={t('messages.none')} text={t('messages.none.text')} />
                    : rows.length === 0 ? <EmptyState icon={IconMessages} title={t('messages.empty')} text={t('messages.empty.text')} />
                    : <DataTable name="messages" label={t('nav.messages')} columns={columns} rows={rows} rowId={(m) => m.id} chosen={chosen}
                        onOpen={(m) => { void navigate({ to: '/messages/$messageId', params: { messageId: m.id }, search: filter, resetScroll: false }); }}
                        {...(may('messages:send') ? { bulk: (picked: Message[], clear: () => void) => {
                            const cancels = picked.filter(mayCancel), resends = picked.filter(mayResend);
                            return (
                                <>
                                    {cancels.length !== 0 && <Button variant="default" size="xs" onClick={() => { setAsked({ act: 'cancel', messages: cancels, clear }); }}>{t('bulk.cancel.count', { count: cancels.length })}</Button>}
                                    {resends.length !== 0 && <Button variant="default" size="xs" onClick={() => { setAsked({ act: 'resend', messages: resends, clear }); }}>{t('resend.count', { count: resends.length })}</Button>}
                                </>
                            );
                        } } : {})}
                        hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />}
            </Page>
            <MessagesAct act={asked?.act ?? null} messages={asked?.messages ?? []} onClose={() => { setAsked(null); }} onDone={() => { asked?.clear(); setAsked(null); }} />
            <Outlet />
        </>
    );
}
