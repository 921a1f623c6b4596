// GraphQL Yoga with graphql-ws, put together as its documentation has it.
import { createServer } from 'node:http';
import { createPubSub, createYoga } from 'graphql-yoga';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { ready, schemaOver, show } from './schema.mjs';

const changes = createPubSub();
const yoga = createYoga({ schema: schemaOver(() => changes.subscribe('nowPlaying')), logging: false });
const http = createServer(yoga);
useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe: async (ctx, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...ctx,
        req: ctx.extra.request,
        socket: ctx.extra.socket,
        params,
      });
      const args = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
      const errors = validate(args.schema, args.document);
      return errors.length ? errors : args;
    },
  },
  new WebSocketServer({ server: http, path: yoga.graphqlEndpoint }),
);
http.listen(0, '127.0.0.1', 8192, () => ready(http.address().port));
show((change) => changes.publish('nowPlaying', change));
