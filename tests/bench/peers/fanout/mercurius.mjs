// mercurius with its own subscriptions and its JIT.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import { ready, show, typeDefs } from './schema.mjs';

const app = Fastify();
app.register(mercurius, {
  schema: typeDefs,
  resolvers: {
    Query: { version: () => 1 },
    Subscription: { nowPlaying: { subscribe: (_root, _args, { pubsub }) => pubsub.subscribe('nowPlaying') } },
  },
  jit: 1,
  subscription: true,
});
await app.listen({ port: 0, host: '127.0.0.1', backlog: 8192 });
ready(app.server.address().port);
show((change) => app.graphql.pubsub.publish({ topic: 'nowPlaying', payload: change }));
