import { Button, Menu } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconPlus, IconWorld } from '@tabler/icons-react';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Problem, When } from '@/components/basics';
import { say } from '@/components/undo';
import { identitiesQuery, providersQuery } from '@/features/sign-in/queries';
import { useT } from '@/i18n/i18n';
import { Section } from './Section';

const route = getRouteApi('/app/security');

/** Accounts elsewhere that sign in here. Nothing is shown where no provider was added to the installation. */
export function Identities() {
    const t = useT();
    const client = useQueryClient();
    const navigate = route.useNavigate();
    const { connected, problem } = route.useSearch();
    const providers = useQuery(providersQuery), list = useQuery(identitiesQuery);
    const connect = useMutation({
        mutationFn: (id: string) => unwrap(api.POST('/v1/me/identities', { body: { provider_id: id } })),
        onSuccess: ({ authorization_url }) => { location.assign(authorization_url); },
    });
    const remove = useMutation({
        mutationFn: (id: string) => unwrap(api.DELETE('/v1/me/identities/{identity_id}', { params: { path: { identity_id: id } } })),
        onSuccess: () => { say(t('identities.removed')); },
        onSettled: () => client.invalidateQueries({ queryKey: keys.me.identities }),
    });
    /* Back from there: said once. */
    useEffect(() => {
        if (connected === undefined)
            return;
        say(t('identities.connected'));
        void navigate({ search: {}, replace: true });
    }, [connected, navigate, t]);

    const offered = providers.data?.data ?? [], rows = list.data?.data ?? [];
    if (offered.length === 0 && rows.length === 0 && problem === undefined)
        return null;
    const first = offered[0];
    const plus = <IconPlus size={16} aria-hidden />;
    return (
        <Section id="identities" title={t('identities.title')} text={t('identities.text')}
            act={first === undefined ? undefined
                : offered.length === 1 ? <Button variant="default" leftSection={plus} loading={connect.isPending} onClick={() => { connect.mutate(first.id); }}>{t('identities.connect', { name: first.name })}</Button>
                : <Menu position="bottom-end"><Menu.Target><Button variant="default" leftSection={plus} loading={connect.isPending}>{t('identities.add')}</Button></Menu.Target>
                    <Menu.Dropdown>{offered.map((provider) => <Menu.Item key={provider.id} onClick={() => { connect.mutate(provider.id); }}>{provider.name}</Menu.Item>)}</Menu.Dropdown></Menu>}>
            {problem !== undefined && <p className="note" role="alert" style={{ marginTop: 0 }}>{t(problem === 'already-exists' ? 'identities.problem.taken' : 'identities.problem')}</p>}
            {connect.isError && <Problem error={connect.error} />}
            {remove.isError && <Problem error={remove.error} />}
            {list.isError ? <Problem error={list.error} retry={() => { void list.refetch(); }} /> : rows.length > 0 && (
                <ul className="rows card" aria-labelledby="identities">
                    {rows.map((identity) => (
                        <li key={identity.id}>
                            <IconWorld size={20} stroke={1.6} aria-hidden className="quiet" style={{ flex: 'none' }} />
                            <div className="grow">
                                <div className="cut" style={{ fontWeight: 540 }}>{identity.provider.name}</div>
                                <div className="quiet account-facts">
                                    {identity.email !== null && <span style={{ overflowWrap: 'anywhere' }}>{identity.email}</span>}
                                    <span>{t('passkeys.used')} <When at={identity.last_used_at} none={t('keys.used.never')} /></span>
                                    <span>{t('passkeys.added')} <When at={identity.created_at} /></span>
                                </div>
                            </div>
                            <Button variant="default" size="xs" loading={remove.isPending && remove.variables === identity.id} onClick={() => { remove.mutate(identity.id); }} aria-label={t('identities.remove.of', { name: identity.provider.name })}>{t('identities.remove')}</Button>
                        </li>
                    ))}
                </ul>
            )}
        </Section>
    );
}
