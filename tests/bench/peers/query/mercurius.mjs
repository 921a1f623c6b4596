// mercurius with its compiler: a query is compiled when it is seen for the second time.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import { ready, resolvers, typeDefs } from './data.mjs';

const app = Fastify();
app.register(mercurius, { schema: typeDefs, resolvers, jit: 1, graphiql: false });
await app.listen({ port: 0, host: '127.0.0.1' });
ready(app.server);
