import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconLock, IconMessage2 } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton } from '@/components/basics';
import { channelsQuery } from '@/features/channels/queries';
import { Preview } from '@/features/sms/Preview';
import { ChannelTabs } from '@/features/sms/Tabs';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/channels/preview');

/** How many parts a text takes, and why. */
export default function SmsPreview() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const { sender } = route.useSearch();
    const list = useQuery(channelsQuery);
    const senders = (list.data ?? []).filter(({ kind }) => kind === 'sms');
    const isMine = may('channels:manage');
    return (
        <Page title={t('nav.channels')} purpose={t('sms.preview.purpose')}>
            <ChannelTabs />
            {!may('messages:send') ? <EmptyState icon={IconLock} title={t('problem.forbidden')} text={t('problem.forbidden.text')} />
                : list.isPending ? <RowsSkeleton count={4} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : senders.length === 0 ? <EmptyState icon={IconMessage2} title={t('sms.preview.empty')} text={t('sms.preview.empty.text')}><Button disabled={!isMine} title={isMine ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/channels/connect', search: { kind: 'sms' } }); }}>{t('sms.sender.connect')}</Button></EmptyState>
                : <Preview channels={senders} first={sender} />}
        </Page>
    );
}
