import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { SmsRoute } from '@/api/types';
import { Problem, RowsSkeleton } from '@/components/basics';
import { StatusBadge } from '@/components/status';
import { channelsQuery } from '@/features/channels/queries';
import { useT } from '@/i18n/i18n';
import { healthOf } from './health';
import { carriersOf, inOrder } from './order';
import { connectorsQuery, routesQuery } from './queries';

/** Names for the ids in routes; what is not there any more, or not seen from here, keeps the end of its id. */
export function useRouteNames() {
    const t = useT();
    const channels = useQuery(channelsQuery), connectors = useQuery(connectorsQuery);
    const short = (id: string) => `…${id.slice(-6)}`;
    const connectorOf = (id: string) => connectors.data?.find((each) => each.id === id);
    return {
        channels: (channels.data ?? []).filter(({ kind }) => kind === 'sms'), connectors: connectors.data ?? [], isPending: channels.isPending || connectors.isPending, connectorOf,
        sender: (id: string | null) => id === null ? t('sms.route.any_sender') : channels.data?.find((each) => each.id === id)?.name ?? short(id),
        operator: (id: string) => connectorOf(id)?.name ?? short(id),
        prefix: (prefix: string) => prefix === '' ? t('sms.route.any_number') : `+${prefix}…`,
    };
}

function Rows({ of, isSender }: { of: ReturnType<typeof inOrder>; isSender: boolean }) {
    const t = useT();
    const names = useRouteNames();
    return (
        <ul className="rows card">
            {of.map(({ route, turn, of: whole }) => {
                const connector = names.connectorOf(route.connector_id);
                return (
                    <li key={route.id} style={{ flexWrap: 'wrap', gap: '4px 16px' }}>
                        <Link to="/channels/routes/$routeId" params={{ routeId: route.id }} className="row-link" style={{ flex: '1 1 160px' }}>{isSender ? names.operator(route.connector_id) : names.sender(route.channel_id)}</Link>
                        <span className="number" style={{ flex: '1 1 140px' }}>{names.prefix(route.prefix)}</span>
                        <span className="quiet" style={{ flex: '1 1 140px' }}>{isSender && route.channel_id === null ? `${t('sms.route.any_sender')} · ` : ''}{whole === 1 ? t('sms.route.only') : t('sms.route.turn', { turn, whole })}</span>
                        {isSender && connector !== undefined && <StatusBadge state={healthOf(connector)} />}
                    </li>
                );
            })}
        </ul>
    );
}

function Listed({ pick, isSender, none }: { pick: (routes: readonly SmsRoute[]) => ReturnType<typeof inOrder>; isSender: boolean; none: string }) {
    const routes = useQuery(routesQuery);
    if (routes.isPending)
        return <RowsSkeleton count={2} />;
    if (routes.isError)
        return <Problem error={routes.error} retry={() => { void routes.refetch(); }} />;
    const found = pick(routes.data);
    return found.length === 0 ? <p className="note" style={{ margin: 0 }}>{none}</p> : <Rows of={found} isSender={isSender} />;
}

/** What goes by an operator. */
export function RoutesOf({ connector }: { connector: string }) {
    const t = useT();
    return <Listed isSender={false} none={t('sms.routes.none')} pick={(routes) => inOrder(routes).filter(({ route }) => route.connector_id === connector)} />;
}

/** What carries a sender's messages, in the order in which it is looked at. */
export function CarriersOf({ channel }: { channel: string }) {
    const t = useT();
    return <Listed isSender none={t('sms.carriers.none')} pick={(routes) => carriersOf(routes, channel)} />;
}
