import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconDeviceDesktop, IconDeviceMobile } from '@tabler/icons-react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Problem, RowsSkeleton, When } from '@/components/basics';
import { say } from '@/components/undo';
import { sessionsQuery } from '@/features/sign-in/queries';
import { useLanguage } from '@/i18n/i18n';
import { deviceOf } from './device';
import { Section } from './Section';
import type { components } from '@generated/schema';

type Listed = components['schemas']['SessionSummary'];

export function Sessions() {
    const { t } = useLanguage();
    const client = useQueryClient();
    const list = useQuery({ ...sessionsQuery, refetchInterval: 15_000 });
    const refresh = () => client.invalidateQueries({ queryKey: keys.me.sessions });
    const end = useMutation({
        mutationFn: (id: string) => unwrap(api.DELETE('/v1/me/sessions/{session_id}', { params: { path: { session_id: id } } })),
        onSuccess: () => { say(t('sessions.ended')); },
        onSettled: refresh,
    });
    const endOthers = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/me/sessions')),
        onSuccess: ({ ended_count }) => { say(t('sessions.others.ended', { count: ended_count })); },
        onSettled: refresh,
    });
    const rows = [...list.data?.data ?? []].sort((a, b) => Number(b.is_current) - Number(a.is_current) || b.last_used_at.localeCompare(a.last_used_at));
    const here = rows.find((session) => session.is_current);
    const problem = end.error ?? endOthers.error;
    return (
        <Section id="sessions" title={t('sessions.title')} text={t('sessions.text')}
            act={rows.length > 1 && <Button variant="default" loading={endOthers.isPending} onClick={() => { endOthers.mutate(); }}>{t('sessions.end_others')}</Button>}>
            {problem !== null && <Problem error={problem} />}
            {list.isPending ? <RowsSkeleton count={2} /> : list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} /> : (
                <ul className="rows card" aria-labelledby="sessions">
                    {rows.map((session) => <Row key={session.id} session={session} isSamePlace={!session.is_current && session.address !== null && session.address === here?.address} isBusy={end.isPending && end.variables === session.id} onEnd={() => { end.mutate(session.id); }} />)}
                </ul>
            )}
        </Section>
    );
}

function Row({ session, isSamePlace, isBusy, onEnd }: { session: Listed; isSamePlace: boolean; isBusy: boolean; onEnd: () => void }) {
    const { t, intl } = useLanguage();
    const { browser, system, isMobile } = deviceOf(session.user_agent);
    const name = browser === null || system === null ? browser ?? system ?? t('sessions.unknown') : t('sessions.device', { browser, system });
    const Mark = isMobile ? IconDeviceMobile : IconDeviceDesktop;
    return (
        <li>
            <Mark size={20} stroke={1.6} aria-hidden className="quiet" style={{ flex: 'none' }} />
            <div className="grow">
                <div className="line"><span style={{ fontWeight: 540 }} title={session.user_agent}>{name}</span>{session.is_current && <span className="tag">{t('sessions.this')}</span>}</div>
                <div className="quiet account-facts">
                    <span>{session.address === null ? t('sessions.nowhere') : <span className="mono">{session.address}</span>}{isSamePlace && ` (${t('sessions.same_place')})`}</span>
                    <span>{t('passkeys.used')} <When at={session.last_used_at} /></span>
                    <span>{t('sessions.since')} <When at={session.created_at} /></span>
                    <span>{t('sessions.with', { factors: intl.formatList(session.authenticated_by.map((factor) => t(`factor.${factor}`)), { type: 'conjunction' }) })}</span>
                </div>
            </div>
            {!session.is_current && <Button variant="default" size="xs" loading={isBusy} onClick={onEnd} aria-label={t('sessions.end.of', { name })}>{t('sessions.end')}</Button>}
        </li>
    );
}
