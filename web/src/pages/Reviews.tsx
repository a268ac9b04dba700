import { Button, Modal, Select, TextInput } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { IconClipboardCheck } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { faultsByField } from '@/api/problem';
import type { AccessReview } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Problem, RowsSkeleton, When } from '@/components/basics';
import { DataTable, type Column } from '@/components/DataTable';
import { StatusBadge } from '@/components/status';
import { reviewsQuery } from '@/features/team/queries';
import { useLanguage, useT } from '@/i18n/i18n';

export default function Reviews() {
    const { t, intl } = useLanguage();
    const may = useMay();
    const navigate = useNavigate();
    const list = useInfiniteQuery(reviewsQuery);
    const [isOpening, setOpening] = useState(false);
    const rows = list.data?.pages.flatMap((page) => page.data) ?? [];
    const isOneOpen = rows.some((review) => review.state === 'open');
    const reason = !may('people:manage') ? t('may.not') : isOneOpen ? t('team.reviews.one') : undefined;
    const begin = <Button variant="default" leftSection={<IconClipboardCheck size={16} />} disabled={reason !== undefined} title={reason} onClick={() => { setOpening(true); }}>{t('team.reviews.begin')}</Button>;
    const columns: Column<AccessReview>[] = [
        { id: 'due', title: t('team.review.due'), cell: (review) => <Link to="/team/reviews/$reviewId" params={{ reviewId: review.id }} className="row-link">{intl.formatDate(review.due_at, { dateStyle: 'medium' })}</Link> },
        { id: 'state', title: t('messages.status'), cell: (review) => <StatusBadge state={review.is_overdue ? 'overdue' : review.state} /> },
        { id: 'decided', title: t('team.review.decided'), cell: (review) => t('team.review.of', { decided: review.decided, members: review.members }) },
        { id: 'every', title: t('team.review.every'), cell: (review) => review.every_days === null ? <span className="quiet">{t('team.review.once')}</span> : t('team.review.days', { count: review.every_days }), isMinor: true },
        { id: 'opened', title: t('team.review.opened'), cell: (review) => <When at={review.created_at} />, isMinor: true },
        { id: 'closed', title: t('team.review.closed'), cell: (review) => <When at={review.closed_at} />, isEnd: true, isMinor: true },
    ];
    return (
        <>
            {list.isPending ? <RowsSkeleton count={3} />
                : list.isError && rows.length === 0 ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : rows.length === 0 ? <EmptyState icon={IconClipboardCheck} title={t('team.reviews.empty')} text={t('team.reviews.empty.text')}>{begin}</EmptyState>
                : <>
                    <div className="line" style={{ justifyContent: 'flex-end', marginBottom: 12 }}>{begin}</div>
                    <DataTable name="reviews" label={t('team.reviews')} columns={columns} rows={rows} rowId={(review) => review.id} onOpen={(review) => { void navigate({ to: '/team/reviews/$reviewId', params: { reviewId: review.id } }); }} hasMore={list.hasNextPage} isLoadingMore={list.isFetchingNextPage} onMore={() => { void list.fetchNextPage(); }} />
                </>}
            {isOpening && <Begin onClose={() => { setOpening(false); }} />}
        </>
    );
}

const spans = ['0', '30', '90', '180', '365'] as const;

/** A date as a field of dates writes it, so many days from now, where the person is. */
function dayIn(days: number): string {
    const date = new Date(Date.now() + days * 86_400_000);
    return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}

function Begin({ onClose }: { onClose: () => void }) {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const [due, setDue] = useState(() => dayIn(14));
    const [every, setEvery] = useState<string>('90');
    const open = useMutation({
        /* The end of that day: somebody who is done on it is in time. */
        mutationFn: () => unwrap(api.POST('/v1/access-reviews', { body: { due_at: new Date(`${due}T23:59:59`).toISOString(), ...(every === '0' ? {} : { every_days: Number(every) }) } })),
        onSuccess: async (review) => { await client.invalidateQueries({ queryKey: keys.team.reviews }); await navigate({ to: '/team/reviews/$reviewId', params: { reviewId: review.id } }); },
    });
    const faults = faultsByField(open.error);
    return (
        <Modal opened onClose={onClose} title={t('team.reviews.begin')} closeButtonProps={{ 'aria-label': t('close') }}>
            <form className="stack" onSubmit={(event) => { event.preventDefault(); if (due !== '') open.mutate(); }}>
                <p style={{ margin: 0 }}>{t('team.reviews.begin.text')}</p>
                {open.isError && <Problem error={open.error} />}
                <TextInput type="date" label={t('team.review.due')} value={due} min={dayIn(0)} error={faults['/due_at']} onChange={(event) => { setDue(event.currentTarget.value); }} required withAsterisk={false} data-autofocus />
                <Select label={t('team.review.every')} description={t('team.review.every.help')} allowDeselect={false} value={every} onChange={(value) => { setEvery(value ?? '90'); }} data={spans.map((value) => ({ value, label: value === '0' ? t('team.review.once') : t('team.review.days', { count: Number(value) }) }))} />
                <Button type="submit" loading={open.isPending} disabled={due === ''}>{t('team.reviews.begin')}</Button>
            </form>
        </Modal>
    );
}
