import { ActionIcon, Button, Menu } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconDots, IconPlayerPause, IconPlayerPlay, IconRefresh, IconTrash } from '@tabler/icons-react';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { SmsConnector } from '@/api/types';
import { useMay } from '@/app/session';
import { Code, Facts, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { StatusBadge } from '@/components/status';
import { say, sayWithUndo } from '@/components/undo';
import { ConnectorForm } from '@/features/sms/ConnectorForm';
import { changeBody, type Draft } from '@/features/sms/form';
import { adviceOf, figuresOf, healthOf } from '@/features/sms/health';
import { Links, Why } from '@/features/sms/Links';
import { connectorOne } from '@/features/sms/queries';
import { RoutesOf } from '@/features/sms/RoutesOf';
import { useLanguage, useT } from '@/i18n/i18n';

const route = getRouteApi('/app/channels/operators/$connectorId');

export default function Operator() {
    const t = useT();
    const { connectorId } = route.useParams();
    const query = useQuery(connectorOne(connectorId));
    const back = { to: '/channels/operators', word: t('sms.tab.operators') };
    return query.isPending ? <Page title={t('sms.operator')} back={back}><RowsSkeleton count={6} /></Page>
        : query.data === undefined ? <Page title={t('sms.operator')} back={back}><Problem error={query.error} retry={() => { void query.refetch(); }} /></Page>
        : <One of={query.data} isOld={query.isError} />;
}

function One({ of, isOld }: { of: SmsConnector; isOld: boolean }) {
    const { t, intl } = useLanguage();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const [isEnding, setEnding] = useState(false);
    const [saves, setSaves] = useState(0); /* the form begins anew with what was saved */
    const path = { connector_id: of.id };
    const isMine = may('channels:manage');
    const isPaused = of.state === 'paused', isBroken = of.state === 'broken';
    const kept = (now: SmsConnector) => { client.setQueryData(keys.sms.connector(of.id), now); return client.invalidateQueries({ queryKey: keys.sms.all }); };
    const change = useMutation({
        mutationFn: (state: 'active' | 'paused') => unwrap(api.PATCH('/v1/sms/connectors/{connector_id}', { params: { path }, body: { state } })),
        onSuccess: (now, state) => {
            if (isBroken)
                say(t('sms.trying', { name: of.name }));
            else
                sayWithUndo(t(state === 'paused' ? 'sms.paused' : 'sms.resumed', { name: of.name }), t('undo'), () => { change.mutate(state === 'paused' ? 'active' : 'paused'); });
            return kept(now);
        },
    });
    const save = useMutation({
        mutationFn: ({ draft, before }: { draft: Draft; before: Draft }) => unwrap(api.PATCH('/v1/sms/connectors/{connector_id}', { params: { path }, body: changeBody(before, draft) ?? {} })),
        onSuccess: (now) => { setSaves(saves + 1); say(t('settings.saved')); return kept(now); },
    });
    const remove = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/sms/connectors/{connector_id}', { params: { path } })),
        onSuccess: async () => { say(t('sms.removed', { name: of.name })); await navigate({ to: '/channels/operators' }); client.removeQueries({ queryKey: keys.sms.connector(of.id) }); await client.invalidateQueries({ queryKey: keys.sms.all }); },
    });
    const health = healthOf(of), figures = figuresOf(of), unrouted = of.unrouted;
    return (
        <Page title={of.name} purpose={`${of.host}:${of.port}`} back={{ to: '/channels/operators', word: t('sms.tab.operators') }}
            acts={<>
                {isBroken ? <Button leftSection={<IconRefresh size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} loading={change.isPending} onClick={() => { change.mutate('active'); }}>{t('sms.try')}</Button>
                    : <Button variant="default" leftSection={isPaused ? <IconPlayerPlay size={16} /> : <IconPlayerPause size={16} />} disabled={!isMine} title={isMine ? undefined : t('may.not')} loading={change.isPending} onClick={() => { change.mutate(isPaused ? 'active' : 'paused'); }}>{t(isPaused ? 'channels.resume' : 'channels.pause')}</Button>}
                <Menu position="bottom-end">
                    <Menu.Target><ActionIcon variant="default" size={36} disabled={!isMine} aria-label={t('acts.of', { name: of.name })} style={{ flex: 'none' }}><IconDots size={18} /></ActionIcon></Menu.Target>
                    <Menu.Dropdown><Menu.Item color="red" leftSection={<IconTrash size={15} aria-hidden />} onClick={() => { setEnding(true); }}>{t('sms.remove')}</Menu.Item></Menu.Dropdown>
                </Menu>
            </>}>
            {isOld && <p className="note" role="status" style={{ marginTop: 0 }}>{t('live.stale')}</p>}
            {change.isError && <div style={{ marginBottom: 16 }}><Problem error={change.error} /></div>}
            {isBroken && (
                <div className="problem" role="alert" style={{ marginBottom: 16 }}>
                    <div className="grow stack" style={{ gap: 4 }}><p style={{ fontWeight: 600 }}><Why detail={of.state_reason} /></p><p>{t(adviceOf(of.state_reason))}</p></div>
                </div>
            )}
            <div className="figures" role="group" aria-label={t('sms.links')}>
                <div className="figure"><div className="quiet">{t('messages.status')}</div><div style={{ lineHeight: '34px' }}><StatusBadge state={health} size={20} /></div></div>
                <div className="figure"><div className="quiet">{t('sms.links.bound')}</div><div className="figure-number">{t('sms.of', { count: figures.bound, whole: figures.wanted })}</div></div>
                <div className="figure"><div className="quiet">{t('sms.in_flight')}</div><div className="figure-number">{figures.window === 0 ? '–' : t('sms.of', { count: figures.inFlight, whole: figures.window })}</div></div>
                <div className="figure"><div className="quiet">{t('sms.pace.now')}</div><div className="figure-number">{figures.pace === null ? '–' : figures.pace < of.per_second ? t('sms.of', { count: figures.pace, whole: of.per_second }) : intl.formatNumber(figures.pace)}</div></div>
            </div>
            {unrouted?.last_at != null && <p className="note">{t('sms.unrouted', { count: unrouted.senders + unrouted.recipients, senders: unrouted.senders, recipients: unrouted.recipients })} <When at={unrouted.last_at} /></p>}
            {figures.pace !== null && figures.pace < of.per_second && <p className="note">{t('sms.pace.slowed')}</p>}
            <section className="section">
                <h2>{t('sms.links')}</h2>
                {of.links.length !== 0 ? <Links of={of} /> : <p className="note" style={{ margin: 0 }}>{t(of.state === 'active' ? 'sms.links.none' : isPaused ? 'sms.links.paused' : 'sms.links.broken')}</p>}
            </section>
            <section className="section">
                <div className="section-head"><h2>{t('sms.tab.routes')}</h2>{isMine && <Link to="/channels/routes/$routeId" params={{ routeId: 'new' }} search={{ operator: of.id }}>{t('sms.route.add')}</Link>}</div>
                <RoutesOf connector={of.id} />
            </section>
            <section className="section">
                <ConnectorForm key={saves} of={of} error={save.error} isBusy={save.isPending} isMine={isMine} act={t('save')} onSave={(draft, before) => { save.mutate({ draft, before }); }} />
            </section>
            <section className="section"><div className="card card-pad"><Facts rows={[[t('messages.id'), <Code key="i" text={of.id} />], [t('created'), <When key="c" at={of.created_at} />], [t('updated'), <When key="u" at={of.updated_at} />]]} /></div></section>
            <ConfirmByName isOpen={isEnding} title={t('sms.remove')} text={t('sms.remove.text')} name={of.name} act={t('sms.remove')} isBusy={remove.isPending} onClose={() => { remove.reset(); setEnding(false); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>
        </Page>
    );
}
