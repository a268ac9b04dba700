import { Button, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconFingerprint } from '@tabler/icons-react';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { useState } from 'react';
import { api, changingToken, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { sessionQuery, type Session } from '@/api/session';
import { Problem, When } from '@/components/basics';
import { CameBack, link as kept, Providers } from '@/features/sign-in/federated';
import { enrol, hasPasskeys, isDismissed } from '@/features/sign-in/passkey';
import { useT } from '@/i18n/i18n';

/** The link's token stands behind the "#", which no browser sends to a server. */
const token = location.hash.length > 1 ? location.hash.slice(1) : kept.get() ?? '';
const route = getRouteApi('/enrol');

/** Whoever is signed in adds the workspace to their own, and works in it at once. */
function Accept({ session, workspace, onOther }: { session: Session; workspace: string; onOther: () => void }) {
    const t = useT();
    const router = useRouter();
    const client = useQueryClient();
    const accept = useMutation({
        mutationFn: async () => {
            const had = new Set(session.workspaces.map((each) => each.id));
            const after = await unwrap(api.POST('/v1/enrolment/accept', { body: { token } }));
            const added = after.workspaces.find((each) => !had.has(each.id));
            if (added !== undefined)
                await changingToken(unwrap(api.POST('/v1/session/workspace', { body: { tenant_id: added.id } })));
        },
        onSuccess: async () => {
            kept.drop();
            client.clear();
            await router.invalidate();
            router.history.replace('/');
        },
    });
    return (
        <div className="stack">
            {accept.error !== null && <Problem error={accept.error} />}
            <p style={{ margin: 0 }}>{t('enrol.signed_in', { name: session.person.name })}</p>
            <Button size="md" fullWidth loading={accept.isPending} onClick={() => { accept.mutate(); }}>{t('enrol.accept', { name: workspace })}</Button>
            <Button variant="subtle" color="gray" disabled={accept.isPending} onClick={onOther}>{t('enrol.other')}</Button>
        </div>
    );
}

export default function Enrol() {
    const t = useT();
    const router = useRouter();
    const { problem } = route.useSearch();
    const client = useQueryClient();
    const [name, setName] = useState('');
    const link = useQuery({ queryKey: ['enrolment'], queryFn: () => unwrap(api.POST('/v1/enrolment/options', { body: { token } })), retry: false, staleTime: Infinity });
    const session = useQuery(sessionQuery);
    const [isOther, setIsOther] = useState(false);
    const begin = useMutation({
        mutationFn: () => enrol(token, name.trim()),
        onSuccess: async () => {
            kept.drop();
            await client.resetQueries({ queryKey: keys.session });
            await router.invalidate();
            router.history.replace('/');
        },
    });
    const here = isOther || !begin.isIdle ? undefined : session.data;
    return (
        <main className="door">
            <div className="door-card stack" style={{ gap: 20 }}>
                <img src="/favicon.svg" width={40} height={40} alt="" />
                <div>
                    <h1 style={{ margin: 0 }}>{link.data === undefined ? t('enrol.title') : t('enrol.workspace', { name: link.data.workspace.name })}</h1>
                    <p className="quiet" style={{ margin: '4px 0 0' }}>{t(here === undefined ? 'enrol.text' : 'enrol.text.signed_in')}</p>
                </div>
                {problem !== undefined && <CameBack problem={problem} />}
                {link.isError && <Problem error={link.error} />}
                {link.data !== undefined && here !== undefined && <Accept session={here} workspace={link.data.workspace.name} onOther={() => { setIsOther(true); }} />}
                {link.data !== undefined && here === undefined && !session.isPending && (
                    <form className="stack" onSubmit={(event) => { event.preventDefault(); if (name.trim() !== '') begin.mutate(); }}>
                        {begin.error !== null && (isDismissed(begin.error) ? <p className="note" role="alert" style={{ margin: 0 }}>{t('signin.dismissed')}</p> : <Problem error={begin.error} />)}
                        <TextInput label={t('enrol.name')} description={t('enrol.name.help')} autoComplete="name" value={name} onChange={(event) => { setName(event.currentTarget.value); }} maxLength={120} data-autofocus />
                        {hasPasskeys ? <Button type="submit" size="md" fullWidth leftSection={<IconFingerprint size={18} aria-hidden />} loading={begin.isPending} disabled={name.trim() === ''}>{t('enrol.passkey')}</Button> : <p className="note" style={{ margin: 0 }}>{t('signin.no_passkeys')}</p>}
                        <Providers begin={async (provider_id) => {
                            kept.keep(token);
                            return (await unwrap(api.POST('/v1/enrolment/federated', { body: { token, provider_id } }))).authorization_url;
                        }} />
                        <p className="quiet" style={{ margin: 0, fontSize: 13 }}>{t('enrol.until')} <When at={link.data.expires_at} /></p>
                    </form>
                )}
            </div>
        </main>
    );
}
