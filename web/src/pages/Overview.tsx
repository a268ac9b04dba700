import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconAlertTriangle, IconChevronRight, IconCircleCheck, IconCircleX, IconInfoCircle, IconPlugConnected, type Icon } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { Overview as OverviewOf } from '@/api/types';
import { useMay, useSession } from '@/app/session';
import { EmptyState, Page, Problem, When } from '@/components/basics';
import { StatusBadge } from '@/components/status';
import { barsOf, changeOf } from '@/features/overview/day';
import { overviewQuery } from '@/features/overview/queries';
import { useLanguage, useT, type Word } from '@/i18n/i18n';

type Attention = OverviewOf['attention'][number];
type Figures = NonNullable<OverviewOf['messages']>;
const figures = ['sent', 'delivered', 'failed', 'blocked', 'received'] as const;
const colours: Partial<Record<typeof figures[number], string>> = { failed: 'red', blocked: 'violet' };

export default function Overview() {
    const t = useT();
    const { person } = useSession();
    const query = useQuery(overviewQuery);
    return (
        <Page title={t('overview.hello', { name: person.name.split(' ')[0] ?? person.name })} purpose={t('overview.purpose')}>
            {query.isPending ? <div role="status" aria-label={t('loading')}><Skeleton height={98} /><Skeleton height={220} mt={24} /></div>
                : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} />
                : <Day overview={query.data} />}
        </Page>
    );
}

function Day({ overview }: { overview: OverviewOf }) {
    const t = useT();
    const { messages, channels, attention } = overview;
    return (
        <>
            {messages !== null && <Numbers messages={messages} />}
            <div className="overview">
                <div className="stack" style={{ gap: 24, minWidth: 0 }}>
                    {messages !== null && <Hours overview={overview} />}
                    {channels !== null && <Channels channels={channels} />}
                </div>
                <section aria-labelledby="attention">
                    <h2 id="attention" style={{ margin: '0 0 12px' }}>{t('overview.attention')}</h2>
                    {attention.length === 0
                        ? <div className="card card-pad line" style={{ flexWrap: 'nowrap' }}><IconCircleCheck size={20} aria-hidden style={{ color: 'var(--st-green)', flex: 'none' }} /><span>{t('overview.attention.none')}</span></div>
                        : <ul className="card rows">{attention.map((each) => <Item key={`${each.kind}${each.object_id ?? ''}${each.detail ?? ''}`} attention={each} />)}</ul>}
                </section>
            </div>
        </>
    );
}

/** Today, against yesterday until the same time of the day. */
function Numbers({ messages }: { messages: Figures }) {
    const { t, intl } = useLanguage();
    const mayRead = useMay()('messages:read');
    return (
        <dl className="figures" style={{ margin: '0 0 24px' }} aria-label={t('overview.today')}>
            {figures.map((name) => {
                const colour = colours[name];
                const now = messages.today[name], change = changeOf(now, messages.yesterday_by_now[name]);
                return (
                    <div key={name} className="figure">
                        <dt className="quiet">{t(`overview.${name}`)}</dt>
                        <dd style={{ margin: 0 }}>
                            <span className="figure-number" style={colour !== undefined && now > 0 ? { color: `var(--st-${colour})` } : undefined}>{colour !== undefined && now > 0 && mayRead ? <Link to="/messages" search={{ status: [name] }} className="row-link">{intl.formatNumber(now)}</Link> : intl.formatNumber(now)}</span>
                            <span className="quiet" style={{ display: 'block', fontSize: 12 }}>{change === null ? t('overview.yesterday_by_now', { number: intl.formatNumber(messages.yesterday_by_now[name]) }) : t('overview.change', { change: intl.formatNumber(change / 100, { style: 'percent', signDisplay: 'exceptZero' }) })}</span>
                        </dd>
                    </div>
                );
            })}
        </dl>
    );
}

/** What was sent by the hour; the line behind is yesterday. What it shows stands in a table for who does not see it. */
function Hours({ overview }: { overview: OverviewOf }) {
    const { t, intl } = useLanguage();
    const bars = barsOf(overview);
    const most = Math.max(1, ...bars.map((bar) => Math.max(bar.sent, bar.yesterday)));
    const zone = overview.time_zone;
    const hour = (at: number) => intl.formatTime(at, { hour: 'numeric', timeZone: zone });
    return (
        <section aria-labelledby="hours">
            <div className="section-head"><h2 id="hours">{t('overview.hours')}</h2><span className="quiet" style={{ fontSize: 12 }}>{zone}</span></div>
            <div className="card card-pad">
                <div className="chart" aria-hidden>
                    {bars.map((bar) => (
                        <div key={bar.at} className="chart-hour" title={`${hour(bar.at)} · ${intl.formatNumber(bar.sent)} · ${t('overview.yesterday')} ${intl.formatNumber(bar.yesterday)}`}>
                            <div className="chart-then" style={{ height: `${100 * bar.yesterday / most}%` }} />
                            <div className="chart-now" style={{ height: `${100 * bar.sent / most}%` }} />
                        </div>
                    ))}
                </div>
                <div className="chart-axis quiet" aria-hidden>{bars.filter((_, i) => i % 6 === 0).map((bar) => <span key={bar.at}>{hour(bar.at)}</span>)}</div>
                <div className="line quiet" style={{ fontSize: 12, marginTop: 8 }} aria-hidden><span className="chart-key" style={{ background: 'var(--hk-accent)' }} />{t('overview.today')}<span className="chart-key" style={{ background: 'var(--hk-line)', marginLeft: 8 }} />{t('overview.yesterday')}</div>
                <div className="unseen"><table>
                    <caption>{t('overview.hours')}</caption>
                    <thead><tr><th scope="col">{t('overview.hour')}</th><th scope="col">{t('overview.today')}</th><th scope="col">{t('overview.yesterday')}</th></tr></thead>
                    <tbody>{bars.map((bar) => <tr key={bar.at}><th scope="row">{hour(bar.at)}</th><td>{bar.sent}</td><td>{bar.yesterday}</td></tr>)}</tbody>
                </table></div>
            </div>
        </section>
    );
}

function Channels({ channels }: { channels: NonNullable<OverviewOf['channels']> }) {
    const { t, intl } = useLanguage();
    if (channels.length === 0)
        return <EmptyState icon={IconPlugConnected} title={t('overview.channels.none')} text={t('overview.channels.none.text')}><Link to="/channels/connect">{t('overview.channels.connect')}</Link></EmptyState>;
    return (
        <section aria-labelledby="senders">
            <div className="section-head"><h2 id="senders">{t('nav.channels')}</h2><Link to="/channels" style={{ fontSize: 13 }}>{t('overview.all')}</Link></div>
            <ul className="card rows">
                {channels.slice(0, 6).map((channel) => (
                    <li key={channel.id}>
                        <span className="grow">
                            <Link to="/channels/$channelId" params={{ channelId: channel.id }} className="row-link cut" style={{ display: 'block' }}>{channel.name}</Link>
                            <span className="quiet number cut" style={{ fontSize: 12.5, display: 'block' }}>{channel.display_phone_number}{channel.today !== null && <> · {t('overview.channel.today', { sent: intl.formatNumber(channel.today.sent), failed: intl.formatNumber(channel.today.failed) })}</>}</span>
                        </span>
                        <StatusBadge state={channel.state} />
                    </li>
                ))}
            </ul>
        </section>
    );
}

const marks: Record<Attention['severity'], { icon: Icon; colour: string }> = {
    critical: { icon: IconCircleX, colour: 'red' }, warning: { icon: IconAlertTriangle, colour: 'orange' }, notice: { icon: IconInfoCircle, colour: 'blue' },
};

/** Where something is done about it. */
function placeOf({ kind, object_id: id }: Attention): string {
    switch (kind) {
        case 'channel-broken': case 'channel-quality': case 'channel-connecting': case 'channel-paused': return `/channels/${id ?? ''}`;
        case 'connector-broken': case 'connector-unbound': return `/channels/operators/${id ?? ''}`;
        case 'endpoint-disabled': case 'endpoint-failing': return `/webhooks/${id ?? ''}`;
        case 'template-turned-down': return `/templates/${id ?? ''}`;
        case 'key-expires': return '/api-keys';
        case 'messages-uncertain': return '/messages?status=%5B%22uncertain%22%5D';
        case 'quota-used': case 'quota-short': return '/usage';
        case 'review-overdue': return '/team';
        case 'dnd-missing': case 'dnd-old': return '/dnd';
    }
}

function Item({ attention }: { attention: Attention }) {
    const { t, intl } = useLanguage();
    const { icon: Mark, colour } = marks[attention.severity];
    const word: Word = `attention.${attention.kind}`;
    return (
        <li style={{ padding: 0 }}>
            <Link to={placeOf(attention)} className="attention">
                <Mark size={18} aria-label={t(`severity.${attention.severity}`)} style={{ color: `var(--st-${colour})`, flex: 'none', marginTop: 1 }} />
                <span className="grow">
                    <span style={{ fontWeight: 540, display: 'block' }}>{t(word, { count: intl.formatNumber(attention.count) })}</span>
                    {attention.name !== null && <span className="quiet cut" style={{ display: 'block', fontSize: 13 }}>{attention.name}</span>}
                    <span className="quiet" style={{ fontSize: 12 }}><When at={attention.at} /></span>
                </span>
                <IconChevronRight size={16} aria-hidden className="quiet" style={{ flex: 'none', alignSelf: 'center' }} />
            </Link>
        </li>
    );
}
