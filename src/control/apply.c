#include "apply.h"

#include <errno.h>

static int apply_peer(struct device *device, const struct config_peer *config)
{
	struct peer *peer = device_add_peer(device, config->public_key);

	if (!peer)
		return errno == EADDRINUSE ? 0 : -errno; /* our own key: reading the file has warned */
	if (config->has_preshared_key)
		noise_remote_set_psk(&peer->remote, config->preshared_key);
	if (config->has_endpoint)
		endpoint_numeric(config->endpoint_host, config->endpoint_port, &peer->endpoint);
	peer->keepalive = config->has_keepalive ? config->keepalive : 0;
	for (const struct config_prefix *allowed = config->allowed_ips; allowed; allowed = allowed->next) {
		const struct ip_prefix *prefix = &allowed->prefix;
		int error = allowedips_insert(&device->allowed_ips, prefix->family, prefix->address, prefix->length, peer);
		if (error)
			return error;
	}
	return 0;
}

int apply_config(struct device *device, const struct config *config)
{
	int error = 0;

	device_set_private_key(device, config->has_private_key ? config->private_key : NULL);
	for (const struct config_peer *peer = config->peers; peer && !error; peer = peer->next)
		error = apply_peer(device, peer);
	return error;
}
