import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { Channel, Message } from '@/api/types';
import { useMay } from '@/app/session';
import { Facts, When } from '@/components/basics';
import { StatusBadge } from '@/components/status';
import { useLanguage } from '@/i18n/i18n';

/** What decides whether such a message leaves, as it is now: the sender, the person's window, the limits, the workspace's own rules. */
export function Rules({ message, channel }: { message: Message; channel: Channel | undefined }) {
    const { t, intl } = useLanguage();
    const may = useMay();
    const to = message.to ?? message.from ?? '';
    const knowsNumber = /^\+\d+$/.test(to);
    const window = useQuery({
        queryKey: keys.channels.window(message.channel_id, to), enabled: knowsNumber && may('messages:read'), retry: false,
        queryFn: () => unwrap(api.GET('/v1/channels/{channel_id}/windows', { params: { path: { channel_id: message.channel_id }, query: { to } } })),
    });
    const usage = useQuery({ queryKey: keys.channelUsage, enabled: may('usage:read'), queryFn: () => unwrap(api.GET('/v1/usage/channels', { params: { query: { limit: 100 } } })) });
    const settings = useQuery({ queryKey: keys.settings, enabled: may('settings:read'), queryFn: () => unwrap(api.GET('/v1/settings/messages')) });
    const limits = usage.data?.data.find(({ id }) => id === message.channel_id)?.limits ?? [];
    if ((window.isLoading || usage.isLoading || settings.isLoading))
        return <Skeleton height={120} />;
    const rows: [string, ReactNode][] = [];
    if (channel !== undefined)
        rows.push([t('rules.sender'), <span key="c" className="line"><Link to="/channels/$channelId" params={{ channelId: channel.id }}>{channel.name}</Link><StatusBadge state={channel.state} size={14} /></span>]);
    if (window.data !== undefined)
        rows.push([t('rules.window'), window.data.is_open ? <span key="w">{t('rules.window.open')} <When at={window.data.window_until} none="" /></span> : t('rules.window.closed')]);
    rows.push(...limits.map((limit): [string, ReactNode] => [t(`limit.${limit.name}`), <span key={limit.name} className="number" style={limit.remaining === 0 ? { color: 'var(--st-red)' } : undefined}>{t('rules.used', { used: intl.formatNumber(limit.used), limit: intl.formatNumber(limit.limit) })}</span>]));
    if (message.direction === 'outbound' && settings.data !== undefined)
        rows.push([t('rules.uncertain'), t(`settings.policy.${settings.data.uncertain[message.category]}`)]);
    if (message.direction === 'outbound')
        rows.push([t('message.expires_at'), <When key="e" at={message.expires_at} none={t('keys.expires.never')} />]);
    return <section aria-label={t('receipt.now')}><h3 style={{ margin: '0 0 4px' }}>{t('receipt.now')}</h3><p className="quiet" style={{ margin: '0 0 12px' }}>{t('rules.text')}</p><Facts rows={rows} /></section>;
}
