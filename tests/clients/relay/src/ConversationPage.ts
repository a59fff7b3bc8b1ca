import { graphql } from 'relay-runtime';

export const page = graphql`
  query ConversationPageQuery($id: ID!) {
    eventCursor
    node(id: $id) {
      __typename
      ...MessageList_conversation @alias(as: "list")
    }
  }
`;

export const conversations = graphql`
  fragment ConversationPage_conversations on Query
  @refetchable(queryName: "ConversationPagePaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    conversations(first: $count, after: $cursor) @connection(key: "ConversationPage_conversations") {
      edges {
        node {
          title
          members(first: 3) {
            edges {
              node {
                user {
                  ...UserName_user
                }
              }
            }
          }
        }
      }
    }
  }
`;
