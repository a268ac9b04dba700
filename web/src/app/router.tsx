import { QueryCache, QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect, type ErrorComponentProps } from '@tanstack/react-router';
import { setCsrfToken, setSignedOut } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError } from '@/api/problem';
import { sessionQuery } from '@/api/session';
import { Problem } from '@/components/basics';
import { readAuditFilter } from '@/features/audit/queries';
import { readMessageFilter } from '@/features/messages/filter';
import { StepUp } from '@/features/sign-in/StepUp';
import { readPeopleFilter } from '@/features/team/filter';
import { NotFound } from './NotFound';
import { Shell } from './Shell';

export const queryClient = new QueryClient({
    queryCache: new QueryCache({
        onError: (error) => {
            /* What the person may do has changed meanwhile: the rail is to say so too. */
            if (error instanceof ApiError && error.problem?.code === 'scope-missing')
                void queryClient.invalidateQueries({ queryKey: keys.session });
        },
    }),
    defaultOptions: {
        queries: {
            staleTime: 15_000, refetchOnWindowFocus: true,
            retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
        },
    },
});

function Failure({ error, reset }: ErrorComponentProps) {
    return <div className="page"><Problem error={error} retry={() => { reset(); void router.invalidate(); }} /></div>;
}

/* Wherever something sensitive is asked, the dialog that asks back. */
function Everything() {
    return <><Outlet /><StepUp /></>;
}

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({ component: Everything, notFoundComponent: NotFound, errorComponent: Failure });

function text(value: unknown): string | undefined {
    return typeof value === 'string' && value !== '' ? value : undefined;
}

const signIn = createRoute({
    getParentRoute: () => root, path: '/sign-in',
    validateSearch: (search: Record<string, unknown>): { to?: string; why?: string; problem?: string } => {
        const to = text(search['to']), why = text(search['why']), problem = text(search['problem']);
        /* Only a place of ours: neither another origin nor a scheme. */
        return { ...(to !== undefined && /^\/(?![/\\])/.test(to) ? { to } : {}), ...(why === undefined ? {} : { why }), ...(problem === undefined ? {} : { problem }) };
    },
    component: lazyRouteComponent(() => import('@/pages/SignIn')),
});

const cameBack = (search: Record<string, unknown>): { problem?: string } => { const problem = text(search['problem']); return problem === undefined ? {} : { problem }; };

const enrol = createRoute({ getParentRoute: () => root, path: '/enrol', validateSearch: cameBack, component: lazyRouteComponent(() => import('@/pages/Enrol')) });

/* Between a provider and the workspace; who has nothing left to do there goes on. */
const secondFactor = createRoute({
    getParentRoute: () => root, path: '/second-factor', errorComponent: Failure,
    beforeLoad: async ({ context }) => {
        try {
            const session = await context.queryClient.query({ ...sessionQuery, staleTime: 'static' });
            if (session.second_factor === null)
                throw redirect({ to: '/' });
        } catch (error) {
            if (error instanceof ApiError && error.status === 401)
                throw redirect({ to: '/sign-in' });
            throw error;
        }
    },
    component: lazyRouteComponent(() => import('@/pages/SecondFactor')),
});

const confirmEmail = createRoute({ getParentRoute: () => root, path: '/confirm-email', component: lazyRouteComponent(() => import('@/pages/ConfirmEmail')) });

const app = createRoute({
    getParentRoute: () => root, id: 'app', component: Shell, errorComponent: Failure,
    beforeLoad: async ({ context, location }) => {
        try {
            const session = await context.queryClient.query({ ...sessionQuery, staleTime: 'static' });
            if (session.second_factor != null)
                throw redirect({ to: '/second-factor' });
        } catch (error) {
            if (error instanceof ApiError && error.status === 401)
                throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { to: location.href } });
            throw error;
        }
    },
});

const home = createRoute({ getParentRoute: () => app, path: '/', component: lazyRouteComponent(() => import('@/pages/Overview')) });
const messages = createRoute({ getParentRoute: () => app, path: '/messages', validateSearch: readMessageFilter, component: lazyRouteComponent(() => import('@/pages/Messages')) });
const message = createRoute({ getParentRoute: () => messages, path: '$messageId', component: lazyRouteComponent(() => import('@/pages/Message')) });
const apiKeys = createRoute({ getParentRoute: () => app, path: '/api-keys', component: lazyRouteComponent(() => import('@/pages/ApiKeys')) });
const apiKey = createRoute({ getParentRoute: () => app, path: '/api-keys/$keyId', component: lazyRouteComponent(() => import('@/pages/ApiKey')) });
const apiKeyNew = createRoute({ getParentRoute: () => app, path: '/api-keys/new', component: lazyRouteComponent(() => import('@/pages/ApiKeyNew')) });

const webhooks = createRoute({ getParentRoute: () => app, path: '/webhooks', component: lazyRouteComponent(() => import('@/pages/Webhooks')) });
const webhookNew = createRoute({ getParentRoute: () => app, path: '/webhooks/new', component: lazyRouteComponent(() => import('@/pages/WebhookNew')) });
const webhook = createRoute({ getParentRoute: () => app, path: '/webhooks/$endpointId', component: lazyRouteComponent(() => import('@/pages/Webhook')) });
const delivery = createRoute({ getParentRoute: () => webhook, path: 'deliveries/$deliveryId', component: lazyRouteComponent(() => import('@/pages/Delivery')) });
const channels = createRoute({ getParentRoute: () => app, path: '/channels', component: lazyRouteComponent(() => import('@/pages/Channels')) });
const channelConnect = createRoute({ getParentRoute: () => app, path: '/channels/connect', component: lazyRouteComponent(() => import('@/pages/ChannelConnect')) });
const channel = createRoute({ getParentRoute: () => app, path: '/channels/$channelId', component: lazyRouteComponent(() => import('@/pages/Channel')) });
const templates = createRoute({ getParentRoute: () => app, path: '/templates', component: lazyRouteComponent(() => import('@/pages/Templates')) });
const template = createRoute({ getParentRoute: () => templates, path: '$templateId', component: lazyRouteComponent(() => import('@/pages/Template')) });
const templateNew = createRoute({ getParentRoute: () => app, path: '/new-template', component: lazyRouteComponent(() => import('@/pages/TemplateNew')) });
const usage = createRoute({ getParentRoute: () => app, path: '/usage', component: lazyRouteComponent(() => import('@/pages/Usage')) });
const settings = createRoute({ getParentRoute: () => app, path: '/settings', component: lazyRouteComponent(() => import('@/pages/Settings')) });
const security = createRoute({
    getParentRoute: () => app, path: '/security',
    /* What a provider has sent back to. */
    validateSearch: (search: Record<string, unknown>): { connected?: string; problem?: string } => {
        const problem = text(search['problem']);
        return { ...(search['connected'] === undefined ? {} : { connected: '1' }), ...(problem === undefined ? {} : { problem }) };
    },
    component: lazyRouteComponent(() => import('@/pages/Security')),
});
const audit = createRoute({ getParentRoute: () => app, path: '/audit', validateSearch: readAuditFilter, component: lazyRouteComponent(() => import('@/pages/Audit')) });
const auditEntry = createRoute({ getParentRoute: () => audit, path: '$entryId', component: lazyRouteComponent(() => import('@/pages/AuditEntry')) });
const team = createRoute({ getParentRoute: () => app, path: '/team', component: lazyRouteComponent(() => import('@/pages/Team')) });
const teamHome = createRoute({ getParentRoute: () => team, path: '/', beforeLoad: () => { throw redirect({ to: '/team/people' }); } });
const people = createRoute({ getParentRoute: () => team, path: 'people', component: lazyRouteComponent(() => import('@/pages/People')), validateSearch: readPeopleFilter });
const person = createRoute({ getParentRoute: () => people, path: '$membershipId', component: lazyRouteComponent(() => import('@/pages/Person')) });
const invitations = createRoute({ getParentRoute: () => team, path: 'invitations', component: lazyRouteComponent(() => import('@/pages/Invitations')) });
const invite = createRoute({ getParentRoute: () => app, path: '/team/invite', component: lazyRouteComponent(() => import('@/pages/Invite')) });
const teams = createRoute({ getParentRoute: () => team, path: 'teams', component: lazyRouteComponent(() => import('@/pages/Teams')) });
const teamOne = createRoute({ getParentRoute: () => teams, path: '$teamId', component: lazyRouteComponent(() => import('@/pages/TeamOne')) });
const roles = createRoute({ getParentRoute: () => team, path: 'roles', component: lazyRouteComponent(() => import('@/pages/Roles')) });
const role = createRoute({
    getParentRoute: () => roles, path: '$roleId', component: lazyRouteComponent(() => import('@/pages/Role')),
    validateSearch: (search: Record<string, unknown>): { from?: string } => { const from = text(search['from']); return from === undefined ? {} : { from }; },
});
const reviews = createRoute({ getParentRoute: () => team, path: 'reviews', component: lazyRouteComponent(() => import('@/pages/Reviews')) });
const review = createRoute({ getParentRoute: () => app, path: '/team/reviews/$reviewId', component: lazyRouteComponent(() => import('@/pages/Review')) });
const reference = createRoute({
    getParentRoute: () => app, path: '/reference', component: lazyRouteComponent(() => import('@/pages/Reference')),
    validateSearch: (search: Record<string, unknown>): { operation?: string } => { const operation = text(search['operation']); return operation === undefined ? {} : { operation }; },
});

const routeTree = root.addChildren([signIn, enrol, secondFactor, confirmEmail, app.addChildren([home, messages.addChildren([message]), apiKeys, apiKeyNew, apiKey, webhooks, webhookNew, webhook.addChildren([delivery]), channels, channelConnect, channel, templates.addChildren([template]), templateNew, usage, settings, security, audit.addChildren([auditEntry]), team.addChildren([teamHome, people.addChildren([person]), invitations, teams.addChildren([teamOne]), roles.addChildren([role]), reviews]), invite, review, reference])]);

export const router = createRouter({
    routeTree, context: { queryClient }, defaultPreload: 'intent', defaultPreloadStaleTime: 0, scrollRestoration: true,
    getScrollRestorationKey: (location) => location.pathname.split('/').slice(0, 2).join('/'),
});

setSignedOut(() => {
    if (queryClient.getQueryData(keys.session) === undefined)
        return;
    setCsrfToken(null);
    queryClient.clear();
    void router.navigate({ to: '/sign-in', search: { to: router.state.location.href, why: 'ended' } });
});

declare module '@tanstack/react-router' {
    interface Register {
        router: typeof router;
    }
}
