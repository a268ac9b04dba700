import { Button, Tooltip } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconAlertTriangle, IconCheck, IconLock, IconUserOff } from '@tabler/icons-react';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { AccessReview, AccessReviewItem } from '@/api/types';
import { useMay } from '@/app/session';
import { EmptyState, Page, Problem, RowsSkeleton, When } from '@/components/basics';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { covers, isIdle } from '@/features/team/authority';
import { OffBoard } from '@/features/team/OffBoard';
import { Doer, nameOf, PersonName } from '@/features/team/pieces';
import { everybodyQuery, reviewQuery, rolesQuery } from '@/features/team/queries';
import { useAuthority, usePermissionName, useRoleName } from '@/features/team/roles';
import { useLanguage, useT } from '@/i18n/i18n';

const route = getRouteApi('/app/team/reviews/$reviewId');

export default function Review() {
    const { t, intl } = useLanguage();
    const may = useMay();
    const { reviewId } = route.useParams();
    const query = useQuery({ ...reviewQuery(reviewId), enabled: may('people:read') });
    const back = { to: '/team/reviews', word: t('team.reviews') };
    if (!may('people:read'))
        return <Page title={t('team.review')}><EmptyState icon={IconLock} title={t('problem.forbidden')} text={t('problem.forbidden.text')} /></Page>;
    return query.isPending ? <Page title={t('team.review')} back={back}><RowsSkeleton /></Page>
        : query.isError ? <Page title={t('team.review')} back={back}><Problem error={query.error} retry={() => { void query.refetch(); }} /></Page>
        : <One review={query.data} title={t('team.review.title', { date: intl.formatDate(query.data.due_at, { dateStyle: 'medium' }) })} back={back} />;
}

function One({ review, title, back }: { review: AccessReview; title: string; back: { to: string; word: string } }) {
    const t = useT();
    const may = useMay();
    const client = useQueryClient();
    const again = () => client.invalidateQueries({ queryKey: keys.team.all });
    const close = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/access-reviews/{review_id}/close', { params: { path: { review_id: review.id } } })),
        onSuccess: () => { say(t('team.review.is_closed')); return again(); },
    });
    const items = review.items ?? [];
    const open = items.filter((item) => item.decision === null), done = items.filter((item) => item.decision !== null);
    const isOpen = review.state === 'open';
    const left = review.members - review.decided;
    return (
        <Page title={title} purpose={t('team.review.purpose')} back={back}
            acts={isOpen ? <Button disabled={!may('people:manage') || left > 0} title={!may('people:manage') ? t('may.not') : left > 0 ? t('team.review.left', { count: left }) : undefined} loading={close.isPending} onClick={() => { close.mutate(); }}>{t('team.review.close')}</Button> : undefined}>
            {close.isError && <div style={{ marginBottom: 16 }}><Problem error={close.error} /></div>}
            <div className="card card-pad line" style={{ gap: 24 }}>
                <StatusBadge state={review.is_overdue ? 'overdue' : review.state} />
                <span className="grow" style={{ minWidth: 160 }}>
                    <span className="number">{t('team.review.of', { decided: review.decided, members: review.members })}</span>
                    <span className="meter" style={{ display: 'block', marginTop: 6 }} role="progressbar" aria-label={t('team.review.decided')} aria-valuemin={0} aria-valuemax={review.members} aria-valuenow={review.decided}><span style={{ display: 'block', height: '100%', background: 'var(--hk-accent)', width: `${review.members === 0 ? 100 : review.decided / review.members * 100}%` }} /></span>
                </span>
                <span className="quiet">{isOpen ? <>{t('team.review.due')} <When at={review.due_at} /></> : <>{t('team.review.closed')} <When at={review.closed_at} /></>}</span>
                <span className="quiet">{review.every_days === null ? t('team.review.once') : t('team.review.days', { count: review.every_days })}</span>
            </div>
            {isOpen && open.length !== 0 && <section className="section"><h2>{t('team.review.todo')}</h2><ul className="rows card">{open.map((item) => <Item key={item.membership_id} item={item} review={review} />)}</ul></section>}
            {isOpen && open.length === 0 && <p className="note" role="status">{t('team.review.all')}</p>}
            {done.length !== 0 && <section className="section"><h2>{t('team.review.done')}</h2><ul className="rows card">{done.map((item) => <Item key={item.membership_id} item={item} review={review} />)}</ul></section>}
        </Page>
    );
}

/** One member, with what there is to judge by. */
function Item({ item, review }: { item: AccessReviewItem; review: AccessReview }) {
    const t = useT();
    const may = useMay();
    const client = useQueryClient();
    const authority = useAuthority();
    const roleName = useRoleName();
    const permissionName = usePermissionName();
    const roles = useQuery(rolesQuery);
    const everybody = useQuery(everybodyQuery);
    const [isEnding, setEnding] = useState(false);
    const member = everybody.data?.find((each) => each.id === item.membership_id);
    const role = roles.data?.find((each) => each.id === member?.role);
    const decide = (decision: 'confirmed' | 'revoked') => unwrap(api.POST('/v1/access-reviews/{review_id}/decisions', { params: { path: { review_id: review.id } }, body: { membership_id: item.membership_id, decision } }));
    const confirm = useMutation({ mutationFn: () => decide('confirmed'), onSuccess: (now) => { client.setQueryData(keys.team.review(review.id), now); return client.invalidateQueries({ queryKey: keys.team.reviews }); } });
    const name = nameOf(item, t('team.nameless'));
    const isWithin = role === undefined || covers(authority, role);
    const isMine = may('people:manage') && isWithin;
    const reason = isMine ? undefined : may('people:manage') ? t('team.beyond') : t('may.not');
    const isUndecided = item.decision === null && review.state === 'open';
    return (
        <li style={{ flexWrap: 'wrap', alignItems: 'flex-start' }}>
            <div className="grow" style={{ minWidth: 220 }}>
                <PersonName member={{ ...item, ...(member === undefined ? {} : { person_id: member.person_id }) }}><Link to="/team/people/$membershipId" params={{ membershipId: item.membership_id }} className="row-link cut">{name}</Link></PersonName>
                <p className="quiet" style={{ margin: '4px 0 0 32px', fontSize: 13 }}>
                    {roleName(item.role_name)} · <Tooltip label={item.permissions.map(permissionName).join(', ')} multiline maw={360}><span tabIndex={0} style={{ textDecoration: 'underline dotted', textUnderlineOffset: 3 }}>{t('keys.scopes.count', { count: item.permissions.length })}</span></Tooltip> · {t(`team.reach.${item.scope}`)}
                    {item.api_keys > 0 && <> · {t('team.access.keys', { count: item.api_keys })}, {t('team.access.used')} <When at={item.keys_last_used_at} none={t('keys.used.never')} /></>}
                </p>
                <p className="quiet" style={{ margin: '2px 0 0 32px', fontSize: 13 }}>
                    {t('team.seen')} <When at={item.last_seen_at} none={t('team.seen.never')} />
                    {isUndecided && isIdle(item.last_seen_at, Date.now()) && <span className="badge" style={{ ['--st' as string]: 'var(--st-orange)', marginLeft: 8 }}><IconAlertTriangle size={14} aria-hidden />{t('team.review.idle')}</span>}
                </p>
                {confirm.isError && <div style={{ marginTop: 8 }}><Problem error={confirm.error} /></div>}
            </div>
            {isUndecided ? (
                <div className="line">
                    {item.state === 'suspended' && <StatusBadge state="suspended" />}
                    <Button size="xs" variant="default" leftSection={<IconCheck size={15} />} disabled={!isMine} title={reason} loading={confirm.isPending} aria-label={t('team.review.confirm.of', { name })} onClick={() => { confirm.mutate(); }}>{t('team.review.confirm')}</Button>
                    <Button size="xs" variant="default" leftSection={<IconUserOff size={15} />} disabled={!isMine} title={reason} style={isMine ? { color: 'var(--st-red)' } : {}} aria-label={t('team.review.revoke.of', { name })} onClick={() => { setEnding(true); }}>{t('team.review.revoke')}</Button>
                </div>
            ) : <div style={{ textAlign: 'right' }}><StatusBadge state={item.decision ?? 'open'} /><p className="quiet" style={{ margin: '2px 0 0', fontSize: 13 }}><Doer by={item.decided_by} /> <When at={item.decided_at} /></p></div>}
            <OffBoard member={{ id: item.membership_id, name: item.name, email: item.email, teams: member?.teams ?? [] }} isOpen={isEnding} onClose={() => { setEnding(false); }} onDone={() => { setEnding(false); }} end={() => decide('revoked')} />
        </li>
    );
}
