// GraphQL Yoga on node's HTTP server.
import { createServer } from 'node:http';
import { createSchema, createYoga } from 'graphql-yoga';
import { ready, resolvers, typeDefs } from './data.mjs';

const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), graphiql: false, logging: false });
const server = createServer(yoga);
server.listen(0, '127.0.0.1', () => ready(server));
