#include "program/gateway/esme_internal.h"
#include <stdlib.h>
#include <unistd.h>

static enum err
threads_start(struct esme_server *server)
{
    server->has_bind_thread = pthread_create(&server->bind_thread, NULL, esme_bind_run, server) == 0;
    server->has_work_thread = pthread_create(&server->work_thread, NULL, esme_work_run, server) == 0;
    server->has_loop_thread = server->has_bind_thread && server->has_work_thread &&
                              pthread_create(&server->loop_thread, NULL, esme_loop_run, server->loop) == 0;
    return server->has_loop_thread ? ERR_OK : ERR_SYSTEM;
}

enum err
esme_server_new(struct gateway *gateway, int listen_fd, struct esme_server **out)
{
    struct esme_server *server = calloc(1, sizeof(*server));
    void *binder = NULL, *worker = NULL;

    if (server == NULL) {
        close(listen_fd);
        return ERR_NO_MEMORY;
    }
    server->gateway = gateway;
    esme_queue_init(&server->binds, ESME_BINDS_QUEUED);
    esme_queue_init(&server->work, ESME_QUEUE_MAX);
    server->back.event_fd = -1;
    enum err err = mailbox_init(&server->back);
    if (err != ERR_OK)
        close(listen_fd);
    else
        err = esme_loop_new(server, listen_fd, &server->loop);
    if (err == ERR_OK)
        err = gateway_worker_open(gateway, 0, &binder);
    server->binder = binder;
    if (err == ERR_OK)
        err = gateway_worker_open(gateway, 0, &worker);
    server->worker = worker;
    if (err == ERR_OK)
        err = esme_known_new(gateway->clock, &server->known);
    if (err == ERR_OK)
        err = threads_start(server);
    if (err != ERR_OK) {
        esme_server_free(server);
        return err;
    }
    *out = server;
    return ERR_OK;
}

void
esme_server_stop(struct esme_server *server)
{
    if (server == NULL)
        return;
    atomic_store(&server->is_stopping, true);
    if (server->has_loop_thread) {
        mailbox_wake(&server->back);
        pthread_join(server->loop_thread, NULL); /* when all that was under way has come back */
        server->has_loop_thread = false;
    }
    esme_queue_stop(&server->binds);
    esme_queue_stop(&server->work);
    if (server->has_bind_thread)
        pthread_join(server->bind_thread, NULL);
    if (server->has_work_thread)
        pthread_join(server->work_thread, NULL);
    server->has_bind_thread = server->has_work_thread = false;
}

void
esme_server_free(struct esme_server *server)
{
    if (server == NULL)
        return;
    esme_server_stop(server);
    esme_loop_free(server->loop);
    gateway_worker_close(server->gateway, server->binder);
    gateway_worker_close(server->gateway, server->worker);
    esme_known_free(server->known);
    if (server->back.event_fd >= 0)
        mailbox_release(&server->back);
    esme_queue_release(&server->binds);
    esme_queue_release(&server->work);
    free(server);
}
