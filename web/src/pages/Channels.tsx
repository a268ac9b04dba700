import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconBrandWhatsapp, IconMessage2, IconPlus } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { StatusBadge } from '@/components/status';
import { channelsQuery } from '@/features/channels/queries';
import { ChannelTabs } from '@/features/sms/Tabs';
import { useT } from '@/i18n/i18n';

export default function Channels() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const list = useQuery(channelsQuery);
    const isMine = may('channels:manage');
    const connect = <Button leftSection={<IconPlus size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} onClick={() => { void navigate({ to: '/channels/connect' }); }}>{t('channels.connect')}</Button>;
    return (
        <Page title={t('nav.channels')} purpose={t('channels.purpose')} acts={(list.data?.length ?? 0) === 0 ? undefined : connect}>
            <ChannelTabs />
            {list.isPending ? <RowsSkeleton count={4} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} />
                : list.data.length === 0 ? <EmptyState icon={IconBrandWhatsapp} title={t('channels.empty')} text={t('channels.empty.text')}>{connect}</EmptyState>
                : (
                    <ul className="grid-cards" style={{ listStyle: 'none', padding: 0, margin: 0 }}>
                        {list.data.map((channel) => (
                            <li key={channel.id} className="card card-pad stack" style={{ gap: 12 }}>
                                <div className="line" style={{ justifyContent: 'space-between', flexWrap: 'nowrap' }}>
                                    <Link to="/channels/$channelId" params={{ channelId: channel.id }} className="row-link cut" style={{ fontSize: 15 }}>{channel.name}</Link>
                                    {channel.kind === 'sms' ? <IconMessage2 size={20} stroke={1.6} aria-label="SMS" style={{ color: 'var(--st-blue)', flex: 'none' }} /> : <IconBrandWhatsapp size={20} stroke={1.6} aria-label="WhatsApp" style={{ color: 'var(--st-green)', flex: 'none' }} />}
                                </div>
                                <div className="number">{channel.whatsapp?.display_phone_number ?? channel.sms?.sender}</div>
                                <div className="line" style={{ justifyContent: 'space-between' }}><StatusBadge state={channel.state} /><span className="quiet" style={{ fontSize: 13 }}><When at={channel.updated_at} /></span></div>
                                {channel.state_reason !== null && <div style={{ fontSize: 13, color: 'var(--st-red)' }}>{t('channels.reason', { reason: channel.state_reason })}</div>}
                            </li>
                        ))}
                    </ul>
                )}
        </Page>
    );
}
