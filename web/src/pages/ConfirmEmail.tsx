import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { IconCircleCheck, IconMail } from '@tabler/icons-react';
import { Link, useNavigate } from '@tanstack/react-router';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError } from '@/api/problem';
import { sessionQuery } from '@/api/session';
import { Problem, RowsSkeleton } from '@/components/basics';
import { useT } from '@/i18n/i18n';

/* The link's token stands behind the "#", which no browser sends to a server. It is kept here while somebody signs in, and is gone from the address. */
const token = location.hash.slice(1);
if (token !== '')
    history.replaceState(history.state, '', location.pathname);

export default function ConfirmEmail() {
    const t = useT();
    const client = useQueryClient();
    const navigate = useNavigate();
    const session = useQuery(sessionQuery);
    const confirm = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/me/email/confirm', { body: { token } })),
        onSuccess: async (person) => {
            client.setQueryData(keys.me.person, person);
            await client.invalidateQueries({ queryKey: keys.session });
        },
    });
    const isOut = session.error instanceof ApiError && session.error.status === 401;
    return (
        <main className="door">
            <div className="door-card stack" style={{ gap: 20 }}>
                <img src="/favicon.svg" width={40} height={40} alt="" />
                <div>
                    <h1 style={{ margin: 0 }}>{t('email.confirm.title')}</h1>
                    <p className="quiet" style={{ margin: '4px 0 0', overflowWrap: 'anywhere' }}>{confirm.isSuccess ? t('email.confirm.done', { email: confirm.data.email ?? '' }) : t(token === '' ? 'email.confirm.again' : isOut ? 'email.confirm.out' : 'email.confirm.text')}</p>
                </div>
                {session.isPending ? <RowsSkeleton count={2} />
                    : session.isError && !isOut ? <Problem error={session.error} retry={() => { void session.refetch(); }} />
                    : isOut ? token !== '' && <Button size="md" fullWidth onClick={() => { void navigate({ to: '/sign-in', search: { to: '/confirm-email' } }); }}>{t('email.confirm.sign_in')}</Button>
                    : confirm.isSuccess ? <Button size="md" fullWidth component={Link} to="/security" leftSection={<IconCircleCheck size={18} aria-hidden />}>{t('nowhere.account')}</Button>
                    : token !== '' && <Button size="md" fullWidth leftSection={<IconMail size={18} aria-hidden />} loading={confirm.isPending} onClick={() => { confirm.mutate(); }}>{t('email.confirm.do')}</Button>}
                {confirm.isError && <Problem error={confirm.error} />}
            </div>
        </main>
    );
}
